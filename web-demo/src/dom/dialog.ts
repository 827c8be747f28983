/** Dialogs over the page, by the browser's own element: it keeps the focus inside and gives it back. */
import { t } from "../texts";
import { type Child, freshId, h } from "./h";

/** A dialog with a heading; it is gone once closed. */
export function dialog(title: string, ...children: Child[]): HTMLDialogElement {
  const id = freshId("dialog");
  const element = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

/** Asks once; whether the answer was yes. */
export function confirmed(question: string): Promise<boolean> {
  return new Promise((resolve) => {
    const yes = h("button", { type: "button", class: "primary" }, t.confirm.yes);
    const no = h("button", { type: "button" }, t.confirm.no);
    const element = dialog(question, h("p", { class: "actions" }, yes, no));
    let answer = false;
    yes.addEventListener("click", () => {
      answer = true;
      element.close();
    });
    no.addEventListener("click", () => element.close());
    element.addEventListener("close", () => resolve(answer));
  });
}

/** Asks for one line; `null` if it was given up. */
export function asked(question: string, value: string, fault: (text: string) => string | null): Promise<string | null> {
  return new Promise((resolve) => {
    const [field, told] = [freshId("field"), freshId("fault")];
    const input = h("input", { id: field, value, autocomplete: "off", spellcheck: "false", "aria-describedby": told });
    const problem = h("p", { id: told, class: "fault", role: "alert" });
    const no = h("button", { type: "button" }, t.ticket.cancel);
    const form = h(
      "form",
      { class: "stack" },
      h("label", { for: field }, question),
      input,
      problem,
      h("p", { class: "actions" }, h("button", { class: "primary" }, "OK"), no),
    );
    const element = dialog(question, form);
    let answer: string | null = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wrong = fault(input.value);
      problem.textContent = wrong ?? "";
      if (wrong !== null) return;
      answer = input.value;
      element.close();
    });
    no.addEventListener("click", () => element.close());
    element.addEventListener("close", () => resolve(answer));
    input.select();
  });
}
