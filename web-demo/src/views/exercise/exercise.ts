/** An exercise: statement, editor, ticket and results side by side. */
import type { App, Opening, View } from "../../app";
import type { Exercise } from "../../api/types";
import { h } from "../../dom/h";
import { Workbench } from "../../parts/workbench/workbench";
import { t } from "../../texts";
import { reopenedFrom } from "../submission/sources";

function tests(exercise: Exercise, use: (stdin: string, args: string[]) => void): HTMLElement | null {
  const items = (exercise.tests ?? []).map(({ name, stdin, args, expected, visibility }) => {
    const canUse = visibility === "public" && typeof stdin === "string";
    return h(
      "li",
      {},
      h("span", { class: "name" }, name),
      visibility === "hidden" ? h("span", { class: "quiet" }, ` (${t.exercise.hidden})`) : null,
      canUse ? h("button", { type: "button", class: "plain", on: { click: () => use(stdin, args ?? []) } }, t.exercise.useInput) : null,
      canUse && stdin !== "" ? h("pre", { tabindex: 0, role: "group", "aria-label": `${t.result.input}, ${name}` }, stdin) : null,
      canUse && typeof expected === "string" ? h("pre", { tabindex: 0, role: "group", "aria-label": `${t.result.expected}, ${name}` }, expected) : null,
    );
  });
  if (items.length === 0) return null;
  return h("details", { class: "examples" }, h("summary", {}, t.exercise.tests), h("ul", {}, ...items));
}

function statementPane(exercise: Exercise, text: Node, work: HTMLElement, use: (stdin: string, args: string[]) => void): HTMLElement {
  const body = h("div", { class: "statement-text" }, text);
  const fold = h("button", { type: "button", class: "plain fold", "aria-expanded": "true" }, t.exercise.hide);
  const rest = h("div", { class: "stack" }, body, tests(exercise, use));
  fold.addEventListener("click", () => {
    const isFolded = work.classList.toggle("folded");
    rest.hidden = isFolded;
    fold.setAttribute("aria-expanded", String(!isFolded));
    fold.textContent = isFolded ? t.exercise.show : t.exercise.hide;
  });
  return h("section", { class: "pane statement", id: "statement", "aria-label": t.exercise.statement }, h("h1", { tabindex: -1 }, exercise.title), fold, rest);
}

/** The statement as elements; what reads Markdown is loaded for it. */
async function statementText({ statement }: Exercise): Promise<Node> {
  if (statement.trim() === "") return h("p", { class: "quiet" }, t.exercise.noStatement);
  const { markdown } = await import("../../parts/markdown");
  return markdown(statement);
}

/** The bar of a narrow page: where to go, and the button. */
export function bottomBar(parts: [HTMLElement, string][], ...buttons: HTMLElement[]): HTMLElement {
  const jumps = parts.map(([part, text]) => h("button", { type: "button", class: "plain", on: { click: () => part.scrollIntoView() } }, text));
  return h("div", { class: "bottom", role: "group", "aria-label": t.nav.label }, ...jumps, ...buttons);
}

export async function openExercise(app: App, { parameters, query, signal }: Opening): Promise<View> {
  const { api } = app.session;
  const id = parameters.id ?? "";
  const place = `exercise ${id}`;
  const [exercise, runtimes, latest, reopened] = await Promise.all([
    api.exercise(id, signal),
    app.runtimes(),
    api.submissions({ exercise_id: id, owner: app.session.me.value?.sub ?? "", limit: 1 }, signal),
    reopenedFrom(app, query, place, signal),
  ]);
  const allowed = exercise.runtimes.flatMap((name) => runtimes.find((runtime) => runtime.id === name) ?? []);
  const work = h("div", { class: "work" });
  const bench = new Workbench(
    app,
    { place, exercise, runtimes: allowed, reopened, latest: reopened?.id ?? latest.items[0]?.id ?? null },
    signal,
  );
  const statement = statementPane(exercise, await statementText(exercise), work, (stdin, args) => bench.useInput(stdin, args));
  work.append(statement, bench.code, bench.result);
  const bar = bottomBar([[statement, t.exercise.statement], [bench.code, t.exercise.code], [bench.result, t.exercise.result]], bench.sendButton("submit"));
  return { title: exercise.title, node: h("div", {}, work, bar) };
}
