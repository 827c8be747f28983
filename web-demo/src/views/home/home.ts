/** The first view: exercises, what is under way, the last results. */
import type { App, Opening, View } from "../../app";
import type { Exercise, Runtime, Submission, SubmissionEvent } from "../../api/types";
import { fill, h } from "../../dom/h";
import { submissionMark } from "../../parts/mark";
import { submissionItem } from "../../parts/row";
import { isOver } from "../../state/story";
import { t } from "../../texts";

const LAST_RESULTS = 5;
/** Changes that come close together are read once. */
const CALM_MS = 400;

function exerciseItem(app: App, exercise: Exercise, last: Submission | undefined, runtimes: Runtime[]): HTMLElement {
  const name = (id: string) => runtimes.find((runtime) => runtime.id === id)?.name ?? id;
  return h(
    "li",
    {},
    h("a", { href: app.address(`exercises/${encodeURIComponent(exercise.id)}`) }, exercise.title),
    h("span", { class: "quiet" }, t.home.tests(exercise.test_count)),
    h("span", { class: "quiet" }, t.format.list(exercise.runtimes.map(name))),
    last ? submissionMark(last) : h("span", { class: "quiet" }, t.home.notTried),
  );
}

class Home {
  private readonly exercises = h("ul", { class: "list" });
  private readonly under = h("ul", { class: "list" });
  private readonly last = h("ul", { class: "list" });
  private readonly underSection = h("section", { class: "stack", hidden: true }, h("h2", {}, t.home.under), this.under);
  private readonly more = h("button", { type: "button" }, t.home.more);
  private listed: Exercise[] = [];
  private runtimes: Runtime[] = [];
  private cursor: string | null = null;
  private submissions: Submission[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  readonly node: HTMLElement;

  constructor(
    private readonly app: App,
    private readonly signal: AbortSignal,
  ) {
    this.more.addEventListener("click", () => void this.readExercises().then(() => this.show()));
    this.node = h(
      "div",
      { class: "home" },
      h("section", { class: "stack" }, h("h1", { tabindex: -1 }, t.home.title), this.exercises, this.more),
      h(
        "div",
        { class: "stack" },
        this.underSection,
        h("section", { class: "stack" }, h("h2", {}, t.home.last), this.last, h("p", {}, h("a", { href: app.address("submissions") }, t.home.all))),
      ),
    );
    app.live.event.on((event) => event && this.take(event), signal);
    app.live.views.on(() => this.readSoon(), signal);
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  async open(): Promise<void> {
    const [runtimes] = await Promise.all([this.app.runtimes(), this.readExercises(), this.readSubmissions()]);
    this.runtimes = runtimes;
    this.show();
  }

  /** A place changes where it stands; for what begins or ends the list is read again. */
  private take({ name, data }: SubmissionEvent): void {
    if (name === "submission.test_finished" || name === "submission.compiled") return;
    if (name !== "queue.position") return this.readSoon();
    this.submissions = this.submissions.map((known) => (known.id === data.submission_id && known.state === "queued" ? { ...known, position: data.position } : known));
    this.show();
  }

  private readSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.readSubmissions().then(() => this.show(), () => undefined);
    }, CALM_MS);
  }

  private async readExercises(): Promise<void> {
    const page = await this.app.session.api.exercises(this.cursor ?? undefined, this.signal);
    this.listed.push(...page.items);
    this.cursor = page.next_cursor ?? null;
  }

  private async readSubmissions(): Promise<void> {
    const owner = this.app.session.me.value?.sub ?? "";
    this.submissions = (await this.app.session.api.submissions({ owner, limit: 100 }, this.signal)).items;
  }

  private show(): void {
    const titles = new Map(this.listed.map(({ id, title }) => [id, title]));
    const graded = new Map<string, Submission>();
    for (const submission of this.submissions) {
      const { exercise_id, run } = submission;
      if (exercise_id !== null && run === null && !graded.has(exercise_id)) graded.set(exercise_id, submission);
    }
    const items = this.listed.map((exercise) => exerciseItem(this.app, exercise, graded.get(exercise.id), this.runtimes));
    fill(this.exercises, ...(items.length > 0 ? items : [h("li", { class: "quiet" }, t.home.none)]));
    this.more.hidden = this.cursor === null;
    const row = (submission: Submission) => submissionItem(this.app, submission, titles);
    const open = this.submissions.filter(({ state }) => !isOver(state) && state !== "draft");
    this.underSection.hidden = open.length === 0;
    fill(this.under, ...open.map(row));
    const over = this.submissions.filter(({ state }) => isOver(state)).slice(0, LAST_RESULTS);
    fill(this.last, ...(over.length > 0 ? over.map(row) : [h("li", { class: "quiet" }, t.home.noResults)]));
  }
}

export async function openHome(app: App, { signal }: Opening): Promise<View> {
  const home = new Home(app, signal);
  await home.open();
  return { title: t.home.title, node: home.node };
}
