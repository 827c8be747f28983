/** A finished submission: the verdict in a sentence, then what it rests on. */
import type { Exercise, GroupReport, Limits, Runtime, Submission } from "../../api/types";
import { h } from "../../dom/h";
import { t } from "../../texts";
import { submissionMark, verdictMark } from "../mark";
import { compileReport, type Reveal } from "./compile";
import { sentence } from "./sentence";
import { facts, testList } from "./tests";

/** The limits that hold for a runtime: what the exercise leaves out, or a run without one, has from the runtime. */
export function limitsFor(exercise: Exercise | null, runtime: Runtime): Limits {
  const limits = { ...runtime.limits.default };
  const byRuntime = exercise?.limits_by_runtime as Record<string, Partial<Limits>> | undefined;
  for (const given of [exercise?.limits, byRuntime?.[runtime.id]]) {
    for (const [name, value] of Object.entries(given ?? {})) {
      if (typeof value === "number") limits[name as keyof Limits] = value;
    }
  }
  return limits;
}

/** What each group of tests is worth. */
const groupList = (groups: GroupReport[]): HTMLElement =>
  h(
    "ul",
    { class: "groups", "aria-label": t.result.groups },
    ...groups.map(({ name, score, max_score, verdict, skipped }) =>
      h("li", {}, verdictMark(verdict), h("span", { class: "figure" }, t.result.group(name, score, max_score)), skipped ? h("span", { class: "note" }, t.result.dependsOn) : null),
    ),
  );

export function report(submission: Submission, limits: Limits | null, reveal: Reveal | null): HTMLElement {
  const { result, run } = submission;
  if (!result) return h("div", {});
  const { compile, tests, groups, score, max_score, verdict } = result;
  const says = compile !== null && (!compile.ok || compile.diagnostics.length > 0);
  const [only] = tests ?? [];
  return h(
    "div",
    { class: `report ${verdict === "accepted" ? "good" : "bad"}` },
    h("p", { class: "verdict" }, submissionMark(submission), score !== null && max_score !== null ? h("span", { class: "figure" }, t.result.score(score, max_score)) : null),
    h("p", { class: "sentence" }, sentence(submission)),
    says ? compileReport(compile, reveal) : null,
    groups ? groupList(groups) : null,
    run && only ? facts(only, limits, true) : null,
    !run && tests && tests.length > 0 ? testList(tests, limits) : null,
  );
}
