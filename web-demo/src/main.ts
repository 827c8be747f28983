/** The page's start: language, session, the shared stream, and one view after the other. */
import type { App, View } from "./app";
import { Refused } from "./api/problem";
import type { Runtime } from "./api/types";
import { announce } from "./dom/announce";
import { fill, h } from "./dom/h";
import { match } from "./router";
import { frame, head, headOfStranger, main, showKeys, watchConnection } from "./shell";
import { Drafts } from "./state/drafts";
import { Live } from "./state/live";
import { Session } from "./state/session";
import { isAborted } from "./state/signal";
import { chooseTexts, t } from "./texts";
import { forbidden, notFound } from "./views/not-found/not-found";
import { keepSignedIn, signInView } from "./views/sign-in/sign-in";

/** The root of the page, also behind a path prefix: what the document's `base` said at the start. */
const root = new URL(document.baseURI);

function pathOf(location: Location): string {
  return location.pathname.startsWith(root.pathname) ? location.pathname.slice(root.pathname.length) : "";
}

function appOf(session: Session, live: Live): App {
  let runtimes: Promise<Runtime[]> | null = null;
  const app: App = {
    session,
    live,
    drafts: new Drafts(root.pathname, session.me.value?.sub ?? ""),
    runtimes(again) {
      if (again || runtimes === null) {
        runtimes = session.api.runtimes();
        runtimes.catch(() => (runtimes = null));
      }
      return runtimes;
    },
    address: (path) => new URL(path, root).href,
    go(path) {
      history.pushState(null, "", app.address(path));
      void show(app);
    },
  };
  return app;
}

let left = new AbortController();

async function viewOf(app: App, signal: AbortSignal): Promise<View> {
  const found = match(pathOf(location));
  if (!found) return notFound(app);
  const { route, parameters } = found;
  const role = app.session.me.value?.role;
  if (route.roles && (!role || !route.roles.includes(role))) return forbidden(app);
  const open = await route.load();
  try {
    return await open(app, { parameters, query: new URLSearchParams(location.search), signal });
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return notFound(app);
    if (error instanceof Refused && error.status === 403) return forbidden(app);
    throw error;
  }
}

/** Shows the view of the address. */
async function show(app: App): Promise<void> {
  left.abort();
  const here = new AbortController();
  left = here;
  head(app, pathOf(location));
  const loading = setTimeout(() => fill(main, h("p", { class: "quiet", role: "status" }, t.loading)), 150);
  try {
    const view = await viewOf(app, here.signal);
    if (here.signal.aborted) return;
    document.title = t.title(view.title);
    fill(main, view.node);
    main.scrollIntoView({ block: "nearest" });
    (main.querySelector<HTMLElement>("h1") ?? main).focus({ preventScroll: true });
  } catch (error) {
    if (isAborted(error)) return;
    if (error instanceof Refused) showFault(t.refused(error.message, error.problem.request_id));
    else throw error;
  } finally {
    clearTimeout(loading);
  }
}

function showFault(text: string): void {
  fill(main, h("p", { class: "fault", role: "alert" }, text));
}

/** Links within the page change the view, not the document. */
function takeLinks(app: App): void {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target) return;
    const to = new URL(link.href);
    if (to.origin !== root.origin || !to.pathname.startsWith(root.pathname)) return;
    const path = to.pathname.slice(root.pathname.length);
    if (!match(path)) return;
    event.preventDefault();
    app.go(path + to.search);
  });
  window.addEventListener("popstate", () => void show(app));
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, .cm-editor, dialog");
    if (event.key === "?" && !isTyping) showKeys();
  });
}

async function begin(session: Session): Promise<void> {
  const live = await Live.open(session);
  const app = appOf(session, live);
  takeLinks(app);
  watchConnection(app);
  keepSignedIn(session);
  if (pathOf(location) === "sign-in") history.replaceState(null, "", root);
  await show(app);
}

async function start(): Promise<void> {
  await chooseTexts();
  frame();
  const session = new Session(root);
  const found = await session.resume();
  if (found === "signed_in") return begin(session);
  headOfStranger();
  document.title = t.title(t.signIn.title);
  // Whichever comes first: a token that is pasted here, or a session that another tab made.
  const signedIn = new AbortController();
  const proceed = () => {
    if (signedIn.signal.aborted) return;
    signedIn.abort();
    void begin(session);
  };
  session.offered.on(() => void session.resume().then((now) => now === "signed_in" && proceed()), signedIn.signal);
  fill(main, signInView(session, found === "session_expired", proceed));
  main.querySelector<HTMLElement>("input")?.focus();
}

/** A fault of the page itself is said, never swallowed. */
function tellFaults(): void {
  const tell = () => {
    announce(t.wrong);
    if (!main.querySelector(".fault")) main.prepend(h("p", { class: "fault" }, t.wrong));
  };
  window.addEventListener("error", tell);
  window.addEventListener("unhandledrejection", (event) => {
    if (isAborted(event.reason)) event.preventDefault();
    else tell();
  });
}

tellFaults();
void start();
