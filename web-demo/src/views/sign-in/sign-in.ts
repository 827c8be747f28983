/** Signing in: a view of its own, and a dialog over the page when a session is over. */
import { Refused } from "../../api/problem";
import { dialog } from "../../dom/dialog";
import { freshId, h } from "../../dom/h";
import type { Session } from "../../state/session";
import { t } from "../../texts";

/** The form; `done` is called once the token was taken. */
function form(session: Session, done: () => void): HTMLFormElement {
  const [field, hint, fault] = [freshId("token"), freshId("hint"), freshId("fault")];
  const input = h("input", {
    id: field,
    type: "password",
    autocomplete: "off",
    required: true,
    "aria-describedby": `${hint} ${fault}`,
  });
  const told = h("p", { id: fault, class: "fault", role: "alert" });
  const button = h("button", { class: "primary" }, t.signIn.submit);
  const element = h(
    "form",
    { class: "stack" },
    h("label", { for: field }, t.signIn.token),
    input,
    h("p", { id: hint, class: "quiet" }, t.signIn.hint),
    told,
    h("p", { class: "actions" }, button),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    told.textContent = "";
    session
      .signIn(input.value.trim())
      .then(done, (error: unknown) => {
        told.textContent = error instanceof Refused && error.status !== 401 ? error.message : t.signIn.refused;
        input.select();
      })
      .finally(() => (button.disabled = false));
  });
  return element;
}

/** The view; `isOver` says that there was a session. */
export function signInView(session: Session, isOver: boolean, done: () => void): HTMLElement {
  return h(
    "section",
    { class: "narrow stack" },
    h("h1", { tabindex: -1 }, t.signIn.title),
    isOver ? h("p", { class: "note" }, t.signIn.over) : null,
    h("p", {}, t.signIn.lead),
    form(session, done),
  );
}

/** The dialog, for as long as the session is over. */
export function keepSignedIn(session: Session): void {
  let open: HTMLDialogElement | null = null;
  session.expired.show((isExpired) => {
    if (!isExpired) open?.close();
    if (!isExpired || open) return;
    open = dialog(t.signIn.expired, h("p", {}, t.signIn.expiredLead), form(session, () => open?.close()));
    // There is no way around it but to sign in: everything else waits for that.
    open.addEventListener("cancel", (event) => event.preventDefault());
    open.addEventListener("close", () => (open = null));
  });
}
