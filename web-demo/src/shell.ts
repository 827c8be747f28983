/** What is around every view: the head, the line about the connection, the region that is read out, the keys. */
import type { App } from "./app";
import { announce, liveRegion } from "./dom/announce";
import { dialog } from "./dom/dialog";
import { fill, h } from "./dom/h";
import { t } from "./texts";

/** How long a connection may be lost before it is said: a restart of the service is not news. */
const QUIET_MS = 2000;

export const main = h("main", { id: "main", tabindex: -1 });
const header = h("header", { class: "head" });
const line = h("p", { class: "connection", hidden: true }, t.connection.lost);

/** Puts the frame into the document. */
export function frame(): void {
  line.textContent = t.connection.lost;
  const skip = h("a", { class: "skip", href: "#main" }, t.nav.skip);
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  document.body.replaceChildren(skip, header, line, main, liveRegion);
}

/** The head of a page without a session. */
export function headOfStranger(): void {
  fill(header, h("span", { class: "brand" }, t.brand));
}

/** The head for who is signed in, with the view that is open marked. */
export function head(app: App, path: string): void {
  const me = app.session.me.value;
  const link = (to: string, text: string) =>
    h("li", {}, h("a", { href: app.address(to), ...(to === path ? { "aria-current": "page" } : {}) }, text));
  const signOut = h("button", { type: "button", class: "plain", on: { click: () => void leave(app, signOut) } }, t.nav.signOut);
  const keys = h("button", { type: "button", class: "plain", on: { click: showKeys } }, t.nav.keys);
  fill(
    header,
    h("a", { class: "brand", href: app.address("") }, t.brand),
    h(
      "nav",
      { "aria-label": t.nav.label },
      h(
        "ul",
        {},
        link("", t.nav.exercises),
        link("run", t.nav.run),
        link("submissions", t.nav.submissions),
        me && me.role !== "student" ? link("teach", t.nav.teach) : null,
        me?.role === "admin" ? link("operate", t.nav.operate) : null,
      ),
    ),
    h("p", { class: "who" }, h("span", { class: "subject" }, me?.sub ?? ""), h("span", { class: "role" }, t.roles[me?.role ?? ""] ?? "")),
    keys,
    signOut,
  );
}

/** Signs out; once is enough, also while nothing answers. */
async function leave(app: App, button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  await app.session.signOut().finally(() => (button.disabled = false));
}

/** Says quietly when nothing comes any more, and that it does again. */
export function watchConnection(app: App): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    const { session, live } = app;
    const isLost = live.connection.value === "lost" || session.waiting.value > 0;
    if (!isLost) {
      clearTimeout(timer);
      timer = undefined;
      if (!line.hidden) announce(t.connection.back);
      line.hidden = true;
    } else if (timer === undefined) {
      timer = setTimeout(() => {
        line.hidden = false;
        announce(t.connection.lost);
      }, QUIET_MS);
    }
  };
  app.live.connection.show(look);
  app.session.waiting.show(look);
}

/** The keys, in a dialog. */
export function showKeys(): void {
  const mod = /mac|iphone|ipad/i.test(navigator.userAgent) ? "⌘" : "Ctrl";
  const row = (keys: string[], text: string) =>
    h("div", {}, h("dt", {}, ...keys.flatMap((key, index) => [index > 0 ? " + " : null, h("kbd", {}, key)])), h("dd", {}, text));
  const close = h("button", { type: "button", class: "primary" }, t.keys.close);
  const element = dialog(
    t.keys.title,
    h(
      "dl",
      { class: "keys" },
      row([mod, "Enter"], t.keys.run),
      row([mod, "Shift", "Enter"], t.keys.submit),
      row(["Esc"], t.keys.leave),
      row(["?"], t.keys.help),
    ),
    h("p", { class: "actions" }, close),
  );
  close.addEventListener("click", () => element.close());
}
