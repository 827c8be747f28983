/** The four figures: what waits, what runs, how long it takes to start, what went wrong. */
import type { Queue, QueueHistory } from "../../api/types";
import { h, say } from "../../dom/h";
import { t } from "../../texts";
import { ot } from "../../texts/operate";

type Name = "queued" | "running" | "wait" | "faults";

const NAMES: Name[] = ["queued", "running", "wait", "faults"];

export class Figures {
  private readonly values = new Map(NAMES.map((name) => [name, { figure: h("dd", { class: "figure" }, "–"), note: h("dd", { class: "note" }) }]));
  readonly node = h("dl", { class: "figures" }, ...NAMES.map((name) => this.one(name)));

  private one(name: Name): HTMLElement {
    const value = this.values.get(name);
    return h("div", {}, h("dt", {}, ot.figures[name]), value?.figure, value?.note);
  }

  private say(name: Name, figure: string, note: string): void {
    const value = this.values.get(name);
    if (!value) return;
    say(value.figure, figure);
    say(value.note, note);
  }

  count({ queued, running, slots, oldest_queued_s }: Queue): void {
    const words = ot.figures;
    this.say("queued", t.format.number(queued), queued === 0 ? "" : words.oldest(oldest_queued_s));
    this.say("running", words.runningOf(running, slots.total), words.slotsFree(slots.free));
  }

  look({ hour: { wait, finished, faults } }: QueueHistory): void {
    const words = ot.figures;
    this.say("wait", wait ? t.format.milliseconds(wait.p95_ms) : "–", wait ? words.waitHalf(wait.p50_ms) : words.noWait);
    this.say("faults", t.format.number(faults), words.finished(finished));
    this.values.get("faults")?.figure.classList.toggle("bad", faults > 0);
  }
}
