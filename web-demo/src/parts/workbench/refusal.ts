/** What the service said when it took a program not, and when it may be sent again. */
import type { Refused } from "../../api/problem";
import { announce } from "../../dom/announce";
import { h, say } from "../../dom/h";
import { pause } from "../../state/signal";
import { t } from "../../texts";

/** The element, which counts down by itself; `free` is called when it may be sent again. */
export function refusalNote(refused: Refused, signal: AbortSignal, free: () => void): HTMLElement {
  const { problem, retryAfterS } = refused;
  const fields = problem.errors.map(({ pointer, message }) => h("li", {}, t.ticket.field(pointer, message)));
  const countdown = h("p", { class: "figure" });
  const node = h(
    "div",
    { class: "refusal stack" },
    h("h3", {}, t.ticket.refused),
    h("p", {}, problem.status === 429 && problem.code !== "rate_limited" ? `${t.ticket.tooMany} ` : "", problem.detail),
    fields.length > 0 ? h("ul", {}, ...fields) : null,
    countdown,
  );
  announce(`${t.ticket.refused}. ${problem.detail}`);
  if (retryAfterS === null) free();
  else void count(retryAfterS, countdown, signal).then(free, () => undefined);
  return node;
}

async function count(seconds: number, element: HTMLElement, signal: AbortSignal): Promise<void> {
  for (let left = seconds; left > 0; left--) {
    say(element, t.ticket.again(left));
    await pause(1000, signal);
  }
  say(element, t.ticket.againNow);
  announce(t.ticket.againNow);
}
