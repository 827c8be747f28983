/** The exercises, for those who write them: what is stored, what was begun, and a new one. */
import "../../styles/teach.css";
import type { App, Opening, View } from "../../app";
import { Refused } from "../../api/problem";
import type { Exercise, Runtime } from "../../api/types";
import { fill, freshId, h } from "../../dom/h";
import { EditStore } from "../../state/edits";
import { t } from "../../texts";
import { chooseTeachTexts, tt } from "../../texts/teach";
import type { Work } from "./work";

const ID = /^[A-Za-z0-9_.:~-]{1,128}$/;

export const editsOf = (app: App): EditStore<Work> =>
  new EditStore<Work>(new URL(app.address("")).pathname, app.session.me.value?.sub ?? "");

const addressOf = (id: string): string => `teach/${encodeURIComponent(id)}`;

function item(app: App, exercise: Exercise, runtimes: Runtime[], isEdited: boolean): HTMLElement {
  const name = (id: string) => runtimes.find((runtime) => runtime.id === id)?.name ?? id;
  return h(
    "li",
    {},
    h("a", { href: app.address(addressOf(exercise.id)) }, exercise.title),
    isEdited ? h("span", { class: "note" }, tt.list.unsaved) : null,
    h("code", { class: "quiet" }, exercise.id),
    h("span", { class: "quiet" }, t.home.tests(exercise.test_count)),
    h("span", { class: "quiet" }, t.format.list(exercise.runtimes.map(name))),
    h("span", { class: "quiet" }, tt.list.version(exercise.version)),
    h("time", { class: "quiet", datetime: exercise.updated_at, title: t.format.moment(exercise.updated_at) }, t.format.ago(exercise.updated_at, Date.now())),
  );
}

function createForm(app: App, signal: AbortSignal): HTMLElement {
  const [field, hint, told] = [freshId("id"), freshId("hint"), freshId("fault")];
  const words = tt.list;
  const id = h("input", { id: field, maxlength: 128, required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "off", "aria-describedby": `${hint} ${told}` });
  const fault = h("p", { id: told, class: "fault", role: "alert" });
  const form = h(
    "form",
    { class: "stack create", novalidate: true },
    h("h2", {}, words.create),
    h("div", { class: "field" }, h("label", { for: field }, words.id), h("span", { id: hint, class: "note" }, words.idHint), id, fault),
    h("p", { class: "actions" }, h("button", { class: "primary" }, words.createButton)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = id.value.trim();
    fault.textContent = ID.test(wanted) ? "" : words.badId;
    if (!ID.test(wanted)) return id.focus();
    app.session.api.exercise(wanted, signal).then(
      () => {
        fault.textContent = words.taken;
        id.focus();
      },
      (error: unknown) => {
        if (error instanceof Refused && error.status === 404) app.go(addressOf(wanted));
        else throw error;
      },
    );
  });
  return form;
}

export async function openTeach(app: App, { signal }: Opening): Promise<View> {
  await chooseTeachTexts();
  const { api } = app.session;
  const [runtimes, first] = await Promise.all([app.runtimes(), api.exercises(undefined, signal)]);
  const edited = editsOf(app).ids();
  const list = h("ul", { class: "list" });
  const begun = h("ul", { class: "list" });
  const begunSection = h("section", { class: "stack" }, h("h2", {}, tt.list.begun), begun);
  const more = h("button", { type: "button" }, tt.list.more);
  const known = new Set<string>();
  let cursor: string | null = null;
  const add = (page: { items: Exercise[]; next_cursor?: string | null }) => {
    for (const { id } of page.items) known.add(id);
    list.append(...page.items.map((exercise) => item(app, exercise, runtimes, edited.includes(exercise.id))));
    cursor = page.next_cursor ?? null;
    more.hidden = cursor === null;
    // Only once all are known it is known which were never saved.
    const never = cursor === null ? edited.filter((id) => !known.has(id)) : [];
    begunSection.hidden = never.length === 0;
    fill(begun, ...never.map((id) => h("li", {}, h("a", { href: app.address(addressOf(id)) }, id))));
  };
  add(first);
  if (known.size === 0) list.append(h("li", { class: "quiet" }, tt.list.none));
  more.addEventListener("click", () => {
    more.disabled = true;
    void api.exercises(cursor ?? undefined, signal).then(add).finally(() => (more.disabled = false));
  });
  const node = h("div", { class: "home teach" }, h("section", { class: "stack" }, h("h1", { tabindex: -1 }, tt.list.title), list, more, begunSection), createForm(app, signal));
  return { title: tt.list.title, node };
}
