/** The scratch pad: language, code, input, output; nothing is graded. */
import type { App, Opening, View } from "../../app";
import { h } from "../../dom/h";
import { Workbench } from "../../parts/workbench/workbench";
import { t } from "../../texts";
import { bottomBar } from "../exercise/exercise";
import { reopenedFrom } from "../submission/sources";

/** How far back the last run is looked for. */
const LOOK_BACK = 20;

export async function openRun(app: App, { query, signal }: Opening): Promise<View> {
  const owner = app.session.me.value?.sub ?? "";
  const [runtimes, last, reopened] = await Promise.all([
    app.runtimes(),
    app.session.api.submissions({ owner, limit: LOOK_BACK }, signal),
    reopenedFrom(app, query, "run", signal),
  ]);
  const latest = last.items.find(({ run, exercise_id }) => run !== null && exercise_id === null)?.id ?? null;
  const bench = new Workbench(app, { place: "run", exercise: null, runtimes, reopened, latest: reopened?.id ?? latest }, signal);
  const bar = bottomBar([[bench.code, t.exercise.code], [bench.result, t.exercise.result]], bench.sendButton("run"));
  return {
    title: t.run.title,
    node: h("div", { class: "stack" }, h("h1", { tabindex: -1 }, t.run.title), h("p", { class: "quiet" }, t.run.lead), h("div", { class: "work two" }, bench.code, bench.result), bar),
  };
}
