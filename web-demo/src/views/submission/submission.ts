/** One submission: its ticket or report, its sources, and the way back into the editor. */
import type { App, Opening, View } from "../../app";
import type { Exercise, Submission } from "../../api/types";
import { Refused } from "../../api/problem";
import { h } from "../../dom/h";
import { limitsFor } from "../../parts/result/report";
import { Ticket } from "../../parts/ticket";
import { t } from "../../texts";
import { sourcesOf, type Source } from "./sources";

async function exerciseOf(app: App, id: string | null, signal: AbortSignal): Promise<Exercise | null> {
  if (id === null) return null;
  try {
    return await app.session.api.exercise(id, signal);
  } catch (error) {
    // It was deleted; its submissions stay.
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

function source({ path, text }: Source): HTMLElement {
  return h(
    "li",
    {},
    h("h3", {}, path),
    text === null
      ? h("p", { class: "quiet" }, t.submission.binary)
      : h("pre", { tabindex: 0, role: "group", "aria-label": path, class: "source" }, text),
  );
}

function facts(app: App, submission: Submission, exercise: Exercise | null, runtimeName: string): HTMLElement {
  const isOld = exercise !== null && submission.exercise_version !== null && submission.exercise_version < exercise.version;
  const fact = (name: string, value: Node | string) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const { exercise_id, exercise_version } = submission;
  const timings = submission.result?.timings;
  return h(
    "dl",
    { class: "pairs" },
    exercise ? fact(t.submissions.exercise, h("a", { href: app.address(`exercises/${encodeURIComponent(exercise.id)}`) }, exercise.title)) : exercise_id ? fact(t.submissions.exercise, exercise_id) : null,
    exercise_version === null ? null : fact(t.submission.version, t.format.number(exercise_version) + (isOld ? ` — ${t.exercise.moved}` : "")),
    fact(t.submission.owner, submission.owner),
    fact(t.submission.language, runtimeName),
    fact(t.submission.sent, t.format.moment(submission.created_at)),
    timings ? fact(t.result.timings, Object.entries(t.result.timingNames).map(([phase, name]) => `${name} ${t.format.milliseconds(timings[phase as keyof typeof timings])}`).join(", ")) : null,
  );
}

export async function openSubmission(app: App, { parameters, signal }: Opening): Promise<View> {
  const { api } = app.session;
  const id = parameters.id ?? "";
  const [submission, runtimes] = await Promise.all([api.submission(id, signal), app.runtimes()]);
  const [exercise, sources] = await Promise.all([exerciseOf(app, submission.exercise_id, signal), sourcesOf(app, submission, signal)]);
  const runtime = runtimes.find((known) => known.id === submission.runtime) ?? null;
  const ticket = new Ticket({
    limits: () => (runtime ? limitsFor(exercise, runtime) : null),
    runtime: () => runtime,
    reveal: null,
    cancel: async (which) => void (await api.cancel(which).catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error;
    })),
  });
  app.live.watch(id, (story) => ticket.show(story), signal);
  const title = submission.run ? t.submission.titleRun : t.submission.title(exercise?.title ?? submission.exercise_id ?? "");
  const canReopen = submission.exercise_id === null || exercise !== null;
  const where = submission.exercise_id === null ? "run" : `exercises/${encodeURIComponent(submission.exercise_id)}`;
  const node = h(
    "div",
    { class: "work two" },
    h(
      "section",
      { class: "pane stack" },
      h("h1", { tabindex: -1 }, title),
      facts(app, submission, exercise, runtime?.name ?? submission.runtime),
      canReopen ? h("p", {}, h("a", { class: "button", href: app.address(`${where}?from=${id}`) }, t.submission.reopen)) : null,
      h("h2", {}, t.submission.sources),
      h("ul", { class: "sources" }, ...sources.map(source)),
    ),
    h("section", { class: "pane result", "aria-label": t.exercise.result }, h("h2", {}, t.exercise.result), ticket.node),
  );
  return { title, node };
}
