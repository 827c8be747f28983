/** Fields with their labels, and what the service finds wrong with them, told at each by its JSON pointer. */
import { freshId, h, type Child } from "../dom/h";

export type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement | HTMLButtonElement;

/** Where a part of the exercise shows a field of the API. */
export interface Places {
  /** The control of a pointer; `null` if the part has none for it. */
  place(pointer: string): HTMLElement | null;
}

/** A control below its label. */
export function labelled(label: string, control: Control, hint?: string): HTMLElement {
  control.id ||= freshId("field");
  const note = hint ? h("span", { class: "note", id: freshId("hint") }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), note, control);
}

/** A control in front of its label. */
export function ticked(label: string, control: HTMLInputElement): HTMLElement {
  control.id ||= freshId("field");
  return h("div", { class: "tick" }, control, h("label", { for: control.id }, label));
}

export function input(value: string, changed: (value: string) => void, attributes: Record<string, string | number> = {}): HTMLInputElement {
  const control = h("input", { autocomplete: "off", spellcheck: "false", ...attributes });
  control.value = value;
  control.addEventListener("input", () => changed(control.value));
  return control;
}

export function area(value: string, changed: (value: string) => void, attributes: Record<string, string | number> = {}): HTMLTextAreaElement {
  const control = h("textarea", { spellcheck: "false", ...attributes });
  control.value = value;
  control.addEventListener("input", () => changed(control.value));
  return control;
}

export function choice(options: [string, string][], value: string, changed: (value: string) => void): HTMLSelectElement {
  const control = h("select", {}, ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  control.addEventListener("change", () => changed(control.value));
  return control;
}

export function box(type: "checkbox" | "radio", isOn: boolean, changed: (isOn: boolean) => void, attributes: Record<string, string> = {}): HTMLInputElement {
  const control = h("input", { type, ...attributes });
  control.checked = isOn;
  control.addEventListener("change", () => changed(control.checked));
  return control;
}

/** Fields that belong together, below a legend. */
export const group = (legend: string, ...children: Child[]): HTMLFieldSetElement => h("fieldset", {}, h("legend", {}, legend), ...children);

/** Says what is wrong at a control, until it is changed; `gone` is called then. */
export function blame(control: HTMLElement, message: string, gone: () => void): void {
  const told = h("p", { class: "fault", id: freshId("fault") }, message);
  const described = control.getAttribute("aria-describedby");
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", [told.id, described].filter((id) => id !== null).join(" "));
  control.after(told);
  const clear = () => {
    told.remove();
    control.removeAttribute("aria-invalid");
    if (described === null) control.removeAttribute("aria-describedby");
    else control.setAttribute("aria-describedby", described);
    for (const event of ["input", "change", "forgiven"]) control.removeEventListener(event, clear);
    gone();
  };
  for (const event of ["input", "change", "forgiven"]) control.addEventListener(event, clear);
}

/** Takes back what was said. */
export const forgive = (within: HTMLElement): void =>
  within.querySelectorAll("[aria-invalid]").forEach((control) => control.dispatchEvent(new Event("forgiven")));
