/** Small functions that make DOM. Text is always text: there is no way in for markup but `markdown.ts`. */

export type Child = Node | string | null | undefined | false;

type Handlers = { [Name in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Name]) => void };

export type Attributes = Record<string, string | number | boolean | null | undefined | Handlers>;

/** An element. `true` sets an attribute, `false` and `null` leave it out; `on` holds handlers of events. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, handler] of Object.entries(value as Handlers)) {
        element.addEventListener(event, handler as EventListener);
      }
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (typeof value === "string" || typeof value === "number") {
      element.setAttribute(name, String(value));
    }
  }
  put(element, ...children);
  return element;
}

/** Appends what is there. */
export function put(parent: Element | DocumentFragment, ...children: Child[]): void {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

/** Puts these in place of what an element holds. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  put(parent, ...children);
}

/** Changes a text only if it is another: what a screen reader is at is not disturbed. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

let ids = 0;

/** An id that no other element has. */
export const freshId = (name: string): string => `${name}-${++ids}`;
