/** All submissions that the reader may see, newest first, with filters that stand in the address. */
import type { App, Opening, View } from "../../app";
import type { SubmissionFilter } from "../../api/client";
import type { Exercise, State, Submission, Verdict } from "../../api/types";
import { fill, freshId, h } from "../../dom/h";
import { submissionMark } from "../../parts/mark";
import { whatFor } from "../../parts/row";
import { t } from "../../texts";

const STATES: State[] = ["queued", "running", "finished", "failed", "cancelled"];
const VERDICTS: Verdict[] = [
  "accepted",
  "wrong_answer",
  "compilation_error",
  "runtime_error",
  "time_limit_exceeded",
  "memory_limit_exceeded",
  "output_limit_exceeded",
];
const PAGE = 25;

const seesAll = (app: App): boolean => app.session.me.value?.role !== "student";

function choice(name: string, label: string, any: string, options: [string, string][], value: string): HTMLElement {
  const id = freshId(name);
  return h(
    "p",
    { class: "field" },
    h("label", { for: id }, label),
    h("select", { id, name }, h("option", { value: "" }, any), ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text))),
  );
}

function field(name: string, label: string, type: string, value: string): HTMLElement {
  const id = freshId(name);
  return h("p", { class: "field" }, h("label", { for: id }, label), h("input", { id, name, type, value, autocomplete: "off" }));
}

function filterForm(app: App, query: URLSearchParams, exercises: Exercise[]): HTMLFormElement {
  const of = (name: string) => query.get(name) ?? "";
  const text = t.submissions;
  const form = h(
    "form",
    { class: "filters" },
    choice("exercise_id", text.exercise, text.anyExercise, exercises.map(({ id, title }) => [id, title]), of("exercise_id")),
    choice("state", text.state, text.anyState, STATES.map((state) => [state, t.states(state)]), of("state")),
    choice("verdict", text.verdict, text.anyVerdict, VERDICTS.map((verdict) => [verdict, t.verdicts(verdict)]), of("verdict")),
    seesAll(app) ? field("owner", text.owner, "text", of("owner")) : null,
    field("since", text.since, "date", of("since")),
    field("until", text.until, "date", of("until")),
    h("p", { class: "actions" }, h("button", {}, text.filter)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value !== "").map(([name, value]) => [name, String(value)]);
    app.go(`submissions?${new URLSearchParams(given).toString()}`);
  });
  return form;
}

/** Midnight of a day where the reader is, `later` days after. */
function midnight(day: string | null, later: number): string | undefined {
  if (!day) return undefined;
  const date = new Date(`${day}T00:00:00`);
  date.setDate(date.getDate() + later);
  return Number.isNaN(date.valueOf()) ? undefined : date.toISOString();
}

function filterOf(query: URLSearchParams): SubmissionFilter {
  const filter: SubmissionFilter = { limit: PAGE };
  for (const name of ["exercise_id", "state", "verdict", "owner"] as const) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  const [since, until] = [midnight(query.get("since"), 0), midnight(query.get("until"), 1)];
  if (since) filter.created_after = since;
  if (until) filter.created_before = until;
  return filter;
}

function row(app: App, submission: Submission, titles: Map<string, string>): HTMLElement {
  const { id, result, created_at, owner } = submission;
  const score = result && result.score !== null && result.max_score !== null ? `${t.format.number(result.score)}/${t.format.number(result.max_score)}` : "";
  return h(
    "tr",
    {},
    h("td", {}, h("a", { href: app.address(`submissions/${id}`) }, whatFor(submission, titles))),
    seesAll(app) ? h("td", {}, owner) : null,
    h("td", {}, submissionMark(submission)),
    h("td", { class: "figure" }, score),
    h("td", {}, h("time", { datetime: created_at }, t.format.moment(created_at))),
  );
}

export async function openSubmissions(app: App, { query, signal }: Opening): Promise<View> {
  const { api } = app.session;
  const filter = filterOf(query);
  const [exercises, first] = await Promise.all([api.exercises(undefined, signal), api.submissions(filter, signal)]);
  const titles = new Map(exercises.items.map(({ id, title }) => [id, title]));
  const body = h("tbody", {});
  const more = h("button", { type: "button" }, t.submissions.more);
  let cursor: string | null = null;
  const add = (page: { items: Submission[]; next_cursor?: string | null }) => {
    body.append(...page.items.map((submission) => row(app, submission, titles)));
    cursor = page.next_cursor ?? null;
    more.hidden = cursor === null;
  };
  add(first);
  more.addEventListener("click", () => {
    more.disabled = true;
    void api.submissions(cursor === null ? filter : { ...filter, cursor }, signal).then(add).finally(() => (more.disabled = false));
  });
  const text = t.submissions;
  const columns = [text.what, ...(seesAll(app) ? [text.owner] : []), text.result, text.score, text.when];
  const table = h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": text.title },
    h("table", { class: "rows" }, h("caption", { class: "unseen" }, text.caption), h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))), body),
  );
  const isFiltered = [...query].length > 0;
  const rest = h("div", { class: "stack" });
  if (first.items.length === 0) fill(rest, h("p", { class: "quiet" }, isFiltered ? text.none : text.noneYet));
  else fill(rest, table, h("p", {}, more));
  return { title: text.title, node: h("section", { class: "stack" }, h("h1", { tabindex: -1 }, text.title), filterForm(app, query, exercises.items), rest) };
}
