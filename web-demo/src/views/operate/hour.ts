/** The last hour: three plots on one axis of time, the same as a table, and a sentence for each that is read out. */
import type { App } from "../../app";
import type { QueueHistory } from "../../api/types";
import { fill, h, say } from "../../dom/h";
import { table } from "../../dom/table";
import { visible } from "../../dom/visible";
import { isAborted, pause } from "../../state/signal";
import { t } from "../../texts";
import { ot } from "../../texts/operate";
import type { Plots } from "./plots";
import { largest, latest, MINUTES, seriesOf, type Series } from "./series";

/** It is read again when the queue has changed, but not more often than this, and as the minutes go. */
const LEAST_MS = 5000;
const MOST_MS = 60_000;

type Name = "queued" | "p50" | "p95" | "finished" | "faults";

/** What each plot shows, by the names of its columns. */
const PLOTS = [["queued"], ["p50", "p95"], ["finished", "faults"]] as const satisfies readonly Name[][];

const valueOf = (name: Name, value: number | null): string =>
  value === null ? ot.hour.none : name === "p50" || name === "p95" ? t.format.milliseconds(value) : t.format.number(value);

export class LastHour {
  private readonly since = h("p", { class: "note" });
  private readonly minute = h("p", { class: "note figure" });
  private readonly fault = h("p", { class: "note", role: "status" });
  private readonly values: Record<Name, HTMLElement> = { queued: value(), p50: value(), p95: value(), finished: value(), faults: value() };
  private readonly said = PLOTS.map(() => h("p", { class: "unseen" }));
  private readonly places = PLOTS.map(() => h("div", { class: "plot-place", "aria-hidden": "true" }));
  private readonly rows = h("div", { class: "stack" });
  private readonly asTable = h("details", {}, h("summary", {}, ot.hour.asTable), this.rows);
  private plots: Plots | null = null;
  private series: Series | null = null;
  private pointed: number | null = null;
  private hasChanged = false;
  private wake: () => void = () => undefined;
  readonly node: HTMLElement;

  /** `told` hears what was read. */
  constructor(
    private readonly app: App,
    private readonly told: (history: QueueHistory) => void,
    private readonly signal: AbortSignal,
  ) {
    const { hour } = ot;
    const titles = [hour.queue, hour.wait, hour.ends];
    const names: Record<Name, string> = { queued: hour.queued, p50: hour.half, p95: hour.most, finished: hour.verdicts, faults: hour.faults };
    const key = (name: Name) => h("span", { class: `key ${name}` }, names[name], " ", this.values[name]);
    const figures = PLOTS.map((columns, index) =>
      h("figure", { class: "plot" }, h("figcaption", {}, h("h3", {}, titles[index] ?? ""), ...columns.map(key)), this.said[index], this.places[index]),
    );
    this.node = h("section", { class: "stack hour" }, h("div", { class: "hour-head" }, h("h2", {}, hour.title), this.minute), this.since, h("div", { class: "plots stack" }, ...figures), this.fault, this.asTable);
    this.asTable.addEventListener("toggle", () => this.showTable());
  }

  /** The queue has changed: the newest minute is not as it was. */
  changed(): void {
    this.hasChanged = true;
    this.wake();
  }

  /** Reads it again and again, and waits where nothing answers. */
  async watch(): Promise<void> {
    try {
      while (!this.signal.aborted) {
        this.hasChanged = false;
        await this.show(await this.app.session.api.queueHistory(this.signal));
        await pause(LEAST_MS, this.signal);
        await Promise.race([pause(MOST_MS - LEAST_MS, this.signal), this.change()]);
        await visible(this.signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      if (this.hasChanged) resolve();
    });
  }

  private async show(history: QueueHistory): Promise<void> {
    this.told(history);
    const series = seriesOf(history);
    this.series = series;
    const since = Date.parse(history.since);
    // The hour may have moved on by a minute in which nothing is noted yet.
    const isWhole = since <= (series.at[1] ?? 0) * 1000;
    say(this.since, isWhole ? "" : ot.hour.since(ot.time(since)));
    this.showValues();
    this.showTable();
    this.tell(history, series);
    await this.draw(series);
  }

  private async draw(series: Series): Promise<void> {
    if (this.plots) return this.plots.show(series);
    try {
      const { Plots } = await import("./plots");
      if (this.signal.aborted) return;
      this.plots = new Plots(this.places, series, (index) => this.point(index), this.signal);
      say(this.fault, "");
    } catch {
      // The chunk did not come; it is asked for again with the next figures.
      say(this.fault, ot.hour.notDrawn);
    }
  }

  private point(index: number | null): void {
    if (index === this.pointed) return;
    this.pointed = index;
    this.showValues();
  }

  /** The figures of the minute that the cursor is at, or of the newest one. */
  private showValues(): void {
    const { series } = this;
    if (!series) return;
    const index = this.pointed ?? MINUTES - 1;
    say(this.minute, this.pointed === null ? ot.hour.now : ot.hour.at(ot.time((series.at[index] ?? 0) * 1000)));
    for (const name of PLOTS.flat()) say(this.values[name], valueOf(name, series[name][index] ?? null));
  }

  private tell({ hour }: QueueHistory, { queued }: Series): void {
    const words = ot.hour;
    const sentences = [
      words.queueSaid(largest(queued) ?? 0, latest(queued) ?? 0),
      hour.wait ? words.waitSaid(t.format.milliseconds(hour.wait.p50_ms), t.format.milliseconds(hour.wait.p95_ms)) : words.noWaitSaid,
      words.endsSaid(hour.finished, hour.faults),
    ];
    this.said.forEach((place, index) => say(place, sentences[index] ?? ""));
  }

  private showTable(): void {
    const { series } = this;
    if (!series || !this.asTable.open) return;
    const { hour } = ot;
    const known = series.at.map((_, index) => index).filter((index) => series.finished[index] !== null);
    const row = (index: number) => [ot.time((series.at[index] ?? 0) * 1000), ...PLOTS.flat().map((name) => valueOf(name, series[name][index] ?? null))];
    const { columns } = hour;
    const names = [columns.minute, columns.queued, columns.p50, columns.p95, columns.finished, columns.faults];
    const before = this.rows.querySelector(".scroll");
    const [top, hasFocus] = [before?.scrollTop ?? 0, before !== null && before === document.activeElement];
    const made = table(hour.caption, names, known.reverse().map(row));
    fill(this.rows, made);
    made.scrollTop = top;
    if (hasFocus) made.focus();
  }
}

const value = (): HTMLElement => h("b", { class: "figure" }, ot.hour.none);
