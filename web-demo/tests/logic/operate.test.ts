import { expect, test } from "vitest";
import type { QueueHistory, QueueMinute } from "../../src/api/types";
import { operateEn } from "../../src/texts/operate-en";
import { operateFr } from "../../src/texts/operate-fr";
import { largest, latest, MINUTES, seriesOf } from "../../src/views/operate/series";

const minute = (at: string, fields: Partial<QueueMinute> = {}): QueueMinute => ({ at, queued: 0, wait: null, finished: 0, faults: 0, ...fields });
const history = (minutes: QueueMinute[], since = "2026-11-22T09:58:13.000Z"): QueueHistory => ({ since, hour: { wait: null, finished: 0, faults: 0 }, minutes });

test("the hour ends with the newest minute, and what is not known is a gap", () => {
  const wait = { p50_ms: 240, p95_ms: 1920 };
  const series = seriesOf(history([minute("2026-11-22T09:58:00.000Z", { queued: 4, finished: 7 }), minute("2026-11-22T10:00:00.000Z", { queued: null, wait, faults: 1 })]));

  expect(series.at).toHaveLength(MINUTES);
  expect(series.at.at(-1)).toBe(Date.parse("2026-11-22T10:00:00Z") / 1000);
  expect(series.at.every((second, index) => index === 0 || second - (series.at[index - 1] ?? 0) === 60)).toBe(true);
  expect(series.queued.slice(-4)).toEqual([null, 4, null, null]);
  expect([series.p50.slice(-3), series.p95.slice(-3)]).toEqual([[null, null, 240], [null, null, 1920]]);
  expect([series.finished.slice(-3), series.faults.slice(-3)]).toEqual([[7, null, 0], [0, null, 1]]);
});

test("an hour of which nothing is known has only gaps", () => {
  const series = seriesOf(history([]));

  expect(series.at.at(-1)).toBe(Date.parse("2026-11-22T09:58:00Z") / 1000);
  expect([latest(series.queued), largest(series.queued)]).toEqual([null, null]);
});

test("the newest known value and the largest are told, gaps or not", () => {
  expect([latest([3, 9, null, 2, null]), largest([3, 9, null, 2, null])]).toEqual([2, 9]);
});

test("what is asked before a host is removed says what becomes of what runs there", () => {
  expect(operateEn.removeSure("judge-2")).toBe("Remove judge-2? Nothing runs there; its containers are removed.");
  expect(operateEn.removeBusy("judge-2", 1)).toBe("Remove judge-2? The program that runs there is queued again at its old place, and starts again elsewhere.");
  expect(operateEn.removeBusy("judge-2", 2)).toBe("Remove judge-2? The 2 programs that run there are queued again at their old place, and start again elsewhere.");
  expect(operateFr.removeBusy("judge-2", 2)).toContain("2 programmes s’y exécutent : ils reviennent à leur ancienne place");
});
