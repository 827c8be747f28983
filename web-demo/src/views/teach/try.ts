/** A solution of the teacher's own, graded on the spot with what is stored. */
import type { App } from "../../app";
import type { Exercise } from "../../api/types";
import { fill, h } from "../../dom/h";
import { Workbench } from "../../parts/workbench/workbench";
import { tt } from "../../texts/teach";

export class TryPart {
  readonly node = h("div", { class: "stack" });
  private readonly note = h("div", { class: "stack" });
  private readonly work = h("div", { class: "work two" });
  /** The bench of a version; it is made anew for the next. */
  private bench: { version: number; end: AbortController } | null = null;

  constructor(
    private readonly app: App,
    private readonly save: () => void,
    private readonly signal: AbortSignal,
  ) {
    fill(this.node, this.note, this.work);
  }

  async open(exercise: Exercise | null, isEdited: boolean): Promise<void> {
    const words = tt.try;
    const save = h("button", { type: "button", on: { click: this.save } }, words.saveFirst);
    if (!exercise) {
      this.end();
      return fill(this.note, h("p", {}, words.notStored), h("p", { class: "actions" }, save));
    }
    fill(
      this.note,
      h("p", { class: "quiet" }, words.lead),
      h("p", { class: "actions" }, h("span", {}, words.version(exercise.version)), isEdited ? h("span", { class: "fault" }, words.unsaved) : null, isEdited ? save : null),
    );
    if (this.bench?.version === exercise.version) return;
    this.end();
    const end = new AbortController();
    this.bench = { version: exercise.version, end };
    this.signal.addEventListener("abort", () => end.abort(), { signal: end.signal });
    const owner = this.app.session.me.value?.sub ?? "";
    const [runtimes, latest] = await Promise.all([
      this.app.runtimes(),
      this.app.session.api.submissions({ exercise_id: exercise.id, owner, limit: 1 }, end.signal),
    ]);
    const allowed = exercise.runtimes.flatMap((id) => runtimes.find((runtime) => runtime.id === id) ?? []);
    const purpose = { place: `exercise ${exercise.id}`, exercise, runtimes: allowed, reopened: null, latest: latest.items[0]?.id ?? null };
    const bench = new Workbench(this.app, purpose, end.signal);
    fill(this.work, bench.code, bench.result);
  }

  private end(): void {
    this.bench?.end.abort();
    this.bench = null;
    fill(this.work);
  }
}
