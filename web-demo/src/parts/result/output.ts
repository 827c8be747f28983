/** Bytes that a program read or wrote, as text. */
import { freshId, h } from "../../dom/h";
import { t } from "../../texts";

/** A labelled text that scrolls. */
export function output(label: string, text: string, note?: string | null): HTMLElement {
  const id = freshId("output");
  return h(
    "div",
    { class: "output" },
    h("h3", { id }, label),
    note ? h("p", { class: "note" }, note) : null,
    text === ""
      ? h("p", { class: "quiet" }, t.result.nothing)
      : h("pre", { tabindex: 0, role: "group", "aria-labelledby": id }, text),
  );
}

/** What is to be said of an output that is not shown as it was. */
export function noteOn(truncated: boolean | null, base64: string | null): string | null {
  const notes = [truncated ? t.result.truncated : "", base64 !== null ? t.result.binary : ""];
  return notes.filter((note) => note !== "").join(" ") || null;
}
