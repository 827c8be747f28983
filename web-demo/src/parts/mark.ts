/** A verdict or a state: mark, word and colour. */
import type { State, Submission, Verdict } from "../api/types";
import { h } from "../dom/h";
import { icon, type IconName } from "../dom/icons";
import { t } from "../texts";

type Meaning = "good" | "bad" | "waiting" | "stopped";

const OF_STATE: Record<State, Meaning> = {
  draft: "stopped",
  queued: "waiting",
  running: "waiting",
  finished: "good",
  failed: "stopped",
  cancelled: "stopped",
};

const mark = (meaning: Meaning, text: string): HTMLElement =>
  h("span", { class: `mark ${meaning}` }, icon(meaning satisfies IconName), h("span", {}, text));

const meaningOf = (verdict: Verdict): Meaning => (verdict === "accepted" ? "good" : verdict === "skipped" ? "stopped" : "bad");

export const verdictMark = (verdict: Verdict): HTMLElement => mark(meaningOf(verdict), t.verdicts(verdict));

export const stateMark = (state: State): HTMLElement => mark(OF_STATE[state] ?? "waiting", t.states(state));

/** What a submission is worth, or where it is. */
export function submissionMark({ state, result, run }: Submission): HTMLElement {
  if (state !== "finished" || !result) return stateMark(state);
  if (run && result.verdict === "accepted") return mark("good", t.states("finished"));
  return verdictMark(result.verdict);
}
