/** Rows of submissions, as lists show them. */
import type { App } from "../app";
import type { Submission } from "../api/types";
import { h } from "../dom/h";
import { t } from "../texts";
import { submissionMark } from "./mark";

/** What a submission is for. */
export const whatFor = (submission: Submission, titles: Map<string, string>): string => {
  const { exercise_id, run } = submission;
  const exercise = exercise_id === null ? null : (titles.get(exercise_id) ?? exercise_id);
  if (run) return exercise === null ? t.submissions.aRun : `${t.submissions.aRun}: ${exercise}`;
  return exercise ?? t.submissions.aRun;
};

/** A link to a submission with its state. */
export function submissionItem(app: App, submission: Submission, titles: Map<string, string>): HTMLElement {
  const { result } = submission;
  const score = result && result.score !== null && result.max_score !== null && submission.state === "finished" ? `${t.format.number(result.score)}/${t.format.number(result.max_score)}` : "";
  return h(
    "li",
    { "data-submission": submission.id },
    h("a", { href: app.address(`submissions/${submission.id}`) }, whatFor(submission, titles)),
    submission.state === "queued" && submission.position !== null ? h("span", { class: "figure" }, `${t.ticket.place}: ${t.format.number(submission.position)}`) : null,
    submissionMark(submission),
    h("span", { class: "figure" }, score),
    h("time", { datetime: submission.created_at, title: t.format.moment(submission.created_at), class: "quiet" }, t.format.ago(submission.created_at, Date.now())),
  );
}
