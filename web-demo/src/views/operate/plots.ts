/** The three plots of the last hour, drawn by uPlot: one axis of time, one cursor. Loaded after the view, as a chunk of its own. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { t } from "../../texts";
import { ot } from "../../texts/operate";
import type { Series } from "./series";

const MINUTE_S = 60;
const AXIS_WIDTH = 64;
const HEIGHT = 116;
/** What the axis of time needs below the last plot. */
const TIMES_HEIGHT = 30;
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];
const SPANS_MS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 3_600_000];

/** The colours are those of the theme, read when it is drawn. */
const colour = (name: string) => () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
/** The same, so that what is behind shows. */
const pale = (name: string) => () => `${colour(name)()}4d`;

type Drawn = Pick<uPlot.Series, "stroke" | "fill" | "dash" | "width" | "paths" | "points">;

/** A column of the data, a bar for each minute. */
const bars = (name: string, part: number, isFull: boolean): Drawn => ({
  stroke: colour(name),
  fill: isFull ? colour(name) : pale(name),
  width: 1,
  points: { show: false },
  ...(uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [part, 40, 2] }) }),
});

/** A line from minute to minute; one between gaps is a point. */
const line = (name: string, dash?: number[]): Drawn => ({
  stroke: colour(name),
  width: 2,
  points: { show: true, size: 5, stroke: colour(name), fill: colour(name) },
  ...(dash && { dash }),
});

interface Kind {
  columns: (series: Series) => (number | null)[][];
  drawn: Drawn[];
  /** The least height of the axis. */
  least: number;
  steps: number[];
  words: (value: number) => string;
}

const count = (value: number) => t.format.number(value);

/** In the order in which they stand. */
const KINDS: Kind[] = [
  { columns: ({ queued }) => [queued], drawn: [bars("accent", 0.9, false)], least: 4, steps: COUNTS, words: count },
  { columns: ({ p50, p95 }) => [p50, p95], drawn: [line("accent"), line("waiting", [6, 4])], least: 100, steps: SPANS_MS, words: (ms) => t.format.milliseconds(ms) },
  { columns: ({ finished, faults }) => [finished, faults.map((count) => count || null)], drawn: [bars("good", 0.9, false), bars("bad", 0.4, true)], least: 4, steps: COUNTS, words: count },
];

export class Plots {
  private readonly drawn: uPlot[];

  /** `places` are where they are drawn; `pointed` is told the minute that the cursor is at, null for none. */
  constructor(places: HTMLElement[], series: Series, pointed: (index: number | null) => void, signal: AbortSignal) {
    this.drawn = places.map((place, index) => new uPlot(optionsOf(index, index === places.length - 1, pointed), dataOf(index, series), place));
    const observer = new ResizeObserver(() => this.fit(places));
    for (const place of places) observer.observe(place);
    const theme = matchMedia("(prefers-color-scheme: dark)");
    theme.addEventListener("change", () => this.redraw(), { signal });
    signal.addEventListener("abort", () => {
      observer.disconnect();
      for (const plot of this.drawn) plot.destroy();
    });
    this.fit(places);
  }

  show(series: Series): void {
    this.drawn.forEach((plot, index) => plot.setData(dataOf(index, series)));
  }

  private fit(places: HTMLElement[]): void {
    this.drawn.forEach((plot, index) => {
      const width = places[index]?.clientWidth ?? 0;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
    });
  }

  private redraw(): void {
    for (const plot of this.drawn) plot.redraw();
  }
}

/** The cursor stands at a minute, never between two. */
function toMinute(plot: uPlot, left: number, top: number): [number, number] {
  const minute = left < 0 ? undefined : plot.data[0][plot.posToIdx(left)];
  return [minute === undefined ? left : plot.valToPos(minute, "x"), top];
}

const dataOf = (index: number, series: Series): uPlot.AlignedData => [series.at, ...(KINDS[index]?.columns(series) ?? [])];

function optionsOf(index: number, isLast: boolean, pointed: (index: number | null) => void): uPlot.Options {
  const { drawn, least, steps, words } = KINDS[index] as Kind;
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: colour("line"), width: 1 };
  return {
    width: 300,
    height: isLast ? HEIGHT + TIMES_HEIGHT : HEIGHT,
    // Room for what would be cut off: half of the uppermost label, and half of the last time.
    padding: [8, 20, isLast ? 0 : 8, 0],
    legend: { show: false },
    cursor: {
      sync: { key: "operate", setSeries: false },
      drag: { x: false, y: false, setScale: false },
      y: false,
      points: { show: false },
      move: toMinute,
    },
    scales: {
      // A bar stands around its minute: the first and the last whole.
      x: { time: false, range: (_plot, from, to) => [from - MINUTE_S / 2, to + MINUTE_S / 2] },
      y: { range: (_plot, _least, most) => [0, Math.max(least, (most ?? 0) * 1.1)] },
    },
    axes: [
      // The plots above the last have the lines of the times alone.
      {
        size: isLast ? TIMES_HEIGHT : 0,
        font,
        stroke: colour("quiet"),
        grid,
        ticks: { ...grid, show: isLast },
        incrs: [300, 600, 900, 1800],
        space: 64,
        values: (_plot, splits) => splits.map((second) => (isLast ? ot.time(second * 1000) : "")),
      },
      { size: AXIS_WIDTH, font, stroke: colour("quiet"), grid, ticks: grid, incrs: steps, space: 28, values: (_plot, splits) => splits.map(words) },
    ],
    series: [{}, ...drawn],
    hooks: { setCursor: [({ cursor }) => pointed(cursor.idx ?? null)] },
  };
}
