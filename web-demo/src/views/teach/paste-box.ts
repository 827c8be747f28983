/** Where tests are pasted as one text. */
import { freshId, h } from "../../dom/h";
import { tt } from "../../texts/teach";

/** `take` gets the text and says whether all of it was used: then the box is empty again. */
export function pasteBox(take: (text: string) => boolean): HTMLElement {
  const words = tt.tests;
  const hint = freshId("paste");
  const text = h("textarea", { rows: 6, class: "code", "aria-label": words.paste, "aria-describedby": hint, spellcheck: "false" });
  const button = h("button", { type: "button", on: { click: () => take(text.value) && (text.value = "") } }, words.pasteButton);
  return h("details", {}, h("summary", {}, words.paste), h("div", { class: "stack" }, h("p", { class: "note", id: hint }, words.pasteHint), text, h("p", { class: "actions" }, button)));
}
