/** The last hour as columns, one entry a minute: what is not known is null, and shows as a gap. Pure. */
import type { QueueHistory, QueueMinute } from "../../api/types";

export const MINUTES = 60;
const MINUTE_S = 60;

type Column = (number | null)[];

export interface Series {
  /** When each minute began, in seconds since 1970: all minutes of the hour, by the service's clock. */
  at: number[];
  queued: Column;
  /** In milliseconds. */
  p50: Column;
  p95: Column;
  finished: Column;
  faults: Column;
}

const secondsOf = (iso: string): number => Math.floor(Date.parse(iso) / 1000);

/** The hour that ends with the newest minute that is known. */
export function seriesOf({ since, minutes }: QueueHistory): Series {
  const known = new Map(minutes.map((minute) => [secondsOf(minute.at), minute]));
  const newest = secondsOf(minutes.at(-1)?.at ?? since);
  const last = newest - (newest % MINUTE_S);
  const at = Array.from({ length: MINUTES }, (_, index) => last - (MINUTES - 1 - index) * MINUTE_S);
  const column = (of: (minute: QueueMinute) => number | null | undefined): Column =>
    at.map((second) => {
      const minute = known.get(second);
      return minute ? (of(minute) ?? null) : null;
    });
  return {
    at,
    queued: column(({ queued }) => queued),
    p50: column(({ wait }) => wait?.p50_ms),
    p95: column(({ wait }) => wait?.p95_ms),
    finished: column(({ finished }) => finished),
    faults: column(({ faults }) => faults),
  };
}

/** The newest value, and the largest; null if none is known. */
export function latest(column: Column): number | null {
  return column.findLast((value) => value !== null) ?? null;
}

export function largest(column: Column): number | null {
  const known = column.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
