/** What is read out by screen readers without being looked at. */
import { h } from "./h";

/** Holds what was said last; part of the page from its start, since readers overlook regions that come with their text. */
export const liveRegion = h("div", { class: "unseen", role: "status", "aria-live": "polite" });

/** Has a text read out, also if it is the same as the one before. */
export function announce(text: string): void {
  liveRegion.replaceChildren(h("span", {}, text));
}
