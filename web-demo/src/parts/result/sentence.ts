/** What came of a submission, in one plain sentence. Pure. */
import type { Submission, TestReport } from "../../api/types";
import { t } from "../../texts";

/** Why a test did not pass. */
export function whyFailed(test: TestReport): string {
  const { name, verdict, limit, exit_code, signal } = test;
  const why = t.result.why;
  if (limit) return why.limit(name, limit);
  if (verdict === "wrong_answer") return why.wrong_answer(name);
  if (verdict === "runtime_error") return why.runtime_error(name, exit_code, signal);
  return why.other(name, verdict);
}

/** The sentence for a result. */
export function sentence(submission: Submission): string {
  const { result, run } = submission;
  if (!result) return t.states(submission.state);
  if (result.verdict === "compilation_error") return t.result.compilation;
  const tests = result.tests;
  if (tests === null) return t.verdicts(result.verdict);
  const failed = tests.filter((test) => test.verdict !== "accepted");
  const first = failed.find(({ verdict }) => verdict !== "skipped");
  if (run) return first ? ofRun(first) : t.result.ranWell;
  if (!first) return t.result.allPassed(tests.length);
  const passed = t.result.passed(tests.length - failed.length, tests.length);
  return `${passed} ; ${whyFailed(first)}.`.replace(" ;", t.language === "fr" ? " ;" : ";");
}

function ofRun(test: TestReport): string {
  if (test.limit) return t.result.ran.limit(test.limit);
  if (test.verdict === "runtime_error") return t.result.ran.runtime_error(test.exit_code, test.signal);
  return `${t.verdicts(test.verdict)}.`;
}
