/** A text of a test: in its cell if it is short, in a dialog of its own if it is long, named by its size if it is none. */
import { dialog } from "../../dom/dialog";
import { freshId, h, say } from "../../dom/h";
import { tt } from "../../texts/teach";
import { area, type Control } from "../../parts/fields";

/** Texts above this many characters, or lines, get the dialog. */
const LONG_CHARACTERS = 2000;
const LONG_LINES = 40;
const MOST_ROWS = 8;

export interface Text {
  label: string;
  text: string | null;
  base64: string | undefined;
  changed(text: string): void;
}

const lines = (text: string): number => text.split("\n").length;
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

export function textControl({ label, text, base64, changed }: Text): Control | HTMLElement {
  if (text === null) {
    const bytes = Math.floor(((base64?.replace(/[\s=]/g, "").length ?? 0) * 3) / 4);
    return h("span", { class: "quiet", tabindex: -1 }, tt.tests.binary(bytes));
  }
  if (text.length <= LONG_CHARACTERS && lines(text) <= LONG_LINES) {
    const grow = (value: string) => Math.min(Math.max(lines(value.replace(/\n$/, "")), 1), MOST_ROWS);
    const control = area(text, (value) => {
      control.rows = grow(value);
      changed(value);
    }, { rows: grow(text), "aria-label": label });
    return control;
  }
  let now = text;
  const button = h("button", { type: "button", "aria-label": `${label}: ${tt.tests.long(bytesOf(now))}` }, tt.tests.long(bytesOf(now)));
  button.addEventListener("click", () => {
    editLong(label, now, (value) => {
      now = value;
      changed(value);
      say(button, tt.tests.long(bytesOf(now)));
      button.dispatchEvent(new Event("change"));
    });
  });
  return button;
}

function editLong(label: string, text: string, done: (text: string) => void): void {
  const control = h("textarea", { id: freshId("long"), rows: 20, spellcheck: "false", "aria-label": label });
  control.value = text;
  const ok = h("button", { type: "button", class: "primary" }, tt.tests.done);
  const cancel = h("button", { type: "button" }, tt.tests.cancel);
  const element = dialog(label, control, h("p", { class: "actions" }, ok, cancel));
  element.classList.add("wide");
  ok.addEventListener("click", () => {
    done(control.value);
    element.close();
  });
  cancel.addEventListener("click", () => element.close());
}
