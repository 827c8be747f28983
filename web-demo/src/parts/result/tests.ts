/** Tests of a result: one row each, with what there is to see of it. */
import type { Limits, TestReport } from "../../api/types";
import { h } from "../../dom/h";
import { t } from "../../texts";
import { verdictMark } from "../mark";
import { comparison } from "./compare";
import { noteOn, output } from "./output";
import { whyFailed } from "./sentence";
import { usageBars } from "./usage";

const hasPassed = (test: TestReport): boolean => test.verdict === "accepted";

/** The facts of a test. */
export function facts(test: TestReport, limits: Limits | null, isRun: boolean): HTMLElement {
  const { stdin, expected, stdout, stderr, message } = test;
  const isShown = stdout !== null;
  const note = noteOn(test.stdout_truncated, test.stdout_base64);
  return h(
    "div",
    { class: "facts" },
    hasPassed(test) || isRun || test.verdict === "wrong_answer" ? null : h("p", {}, `${whyFailed(test)}.`),
    message ? h("p", {}, test.verdict === "wrong_answer" ? h("strong", {}, `${t.result.checker} `) : null, message) : null,
    isRun ? output(t.result.output, stdout ?? "", note) : null,
    stderr ? output(t.result.error, stderr, noteOn(test.stderr_truncated, test.stderr_base64)) : null,
    !isRun && stdin !== null ? output(t.result.input, stdin) : null,
    !isRun && isShown && expected !== null ? h("div", { class: "output" }, note ? h("p", { class: "note" }, note) : null, comparison(expected, stdout)) : null,
    !isRun && isShown && expected === null ? output(t.result.actual, stdout, note) : null,
    !isRun && !isShown ? h("p", { class: "quiet" }, t.result.hiddenTest) : null,
    usageBars(test.usage, limits),
  );
}

/** One test that can be folded out. */
export function testRow(test: TestReport, limits: Limits | null, isOpen: boolean): HTMLElement {
  const name = t.result.testName(test.name, test.visibility === "hidden");
  const score = test.score !== null && test.max_score !== null && test.max_score > 0 ? `${t.format.number(test.score)}/${t.format.number(test.max_score)}` : "";
  const details = h(
    "details",
    { class: hasPassed(test) ? "test good" : "test bad", open: isOpen },
    h(
      "summary",
      {},
      verdictMark(test.verdict),
      h("span", { class: "name" }, name),
      h("span", { class: "figure" }, score),
      h("span", { class: "figure" }, t.format.milliseconds(test.usage.cpu_time_ms)),
    ),
  );
  const fillIn = () => {
    if (details.open && details.childElementCount === 1) details.append(facts(test, limits, false));
  };
  // A result may hold a thousand tests: what is folded is made when it is opened.
  details.addEventListener("toggle", fillIn);
  fillIn();
  return h("li", {}, details);
}

/** A test that was not run, of which there is nothing to see. */
const skippedRow = ({ name, verdict, visibility }: TestReport): HTMLElement =>
  h("li", {}, h("div", { class: "test" }, h("p", { class: "row" }, verdictMark(verdict), h("span", { class: "name" }, t.result.testName(name, visibility === "hidden")))));

/** Failed ones first, the first of them open; those that were not run last. */
export function testList(all: TestReport[], limits: Limits | null): HTMLElement {
  const tests = all.filter(({ verdict }) => verdict !== "skipped");
  const failed = tests.filter((test) => !hasPassed(test));
  const ordered = [...failed, ...tests.filter(hasPassed)];
  const rows = ordered.map((test) => testRow(test, limits, test === failed[0]));
  return h("ol", { class: "tests" }, ...rows, ...all.filter(({ verdict }) => verdict === "skipped").map(skippedRow));
}
