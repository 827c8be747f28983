/** An exercise as its teacher edits it: its parts as tabs, one button that saves all of them. */
import "../../styles/teach.css";
import type { App, Opening, View } from "../../app";
import { Refused } from "../../api/problem";
import type { Exercise, Problem, Runtime } from "../../api/types";
import { announce } from "../../dom/announce";
import { confirmed } from "../../dom/dialog";
import { fill, h, say } from "../../dom/h";
import type { EditStore } from "../../state/edits";
import { t } from "../../texts";
import { chooseTeachTexts, tt } from "../../texts/teach";
import { CheckerPart } from "./checker";
import { conflictNote } from "./conflict";
import { blame, forgive, type Places } from "../../parts/fields";
import { LimitsPart } from "./limits";
import { ResultsPart } from "./results";
import { StatementPart } from "./statement";
import { Tabs } from "./tabs";
import { editsOf } from "./teach";
import { TestsPart } from "./tests";
import type { TryPart } from "./try";
import { emptyWork, isSame, joined, workOf, type Work } from "./work";

/** How long after a change it is kept. */
const KEEP_AFTER_MS = 300;

/** An exercise with its entity tag. */
interface Stored {
  exercise: Exercise;
  tag: string;
}

interface Part extends Places {
  node: HTMLElement;
  show(work: Work): void;
}

class Desk {
  readonly node: HTMLElement;
  private readonly edits: EditStore<Work>;
  private readonly heading = h("h1", { tabindex: -1 });
  private readonly state = h("span", { class: "quiet" });
  private readonly kept = h("span", { class: "quiet" });
  private readonly saveButton = h("button", { type: "button", class: "primary", "aria-keyshortcuts": "Control+S Meta+S", on: { click: () => void this.save() } }, tt.bar.save);
  private readonly discardButton = h("button", { type: "button", on: { click: () => void this.discard() } }, tt.bar.discard);
  private readonly view = h("a", {}, tt.bar.view);
  private readonly note = h("div", { class: "stack" });
  private readonly parts: Record<"statement" | "tests" | "limits" | "checker", Part>;
  private readonly results: ResultsPart;
  private readonly trialNode = h("div", {});
  /** Loaded when it is opened: it brings the editor. */
  private trial: Promise<TryPart> | null = null;
  private readonly tabs: Tabs;
  private work: Work;
  private base: Work | null;
  private tag: string | null;
  private exercise: Exercise | null;
  private isSaving = false;
  private isKept = true;
  private keepTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly app: App,
    private readonly id: string,
    stored: Stored | null,
    runtimes: Runtime[],
    private readonly signal: AbortSignal,
  ) {
    this.edits = editsOf(app);
    const edits = this.edits.read(id);
    this.exercise = stored?.exercise ?? null;
    const isOld = edits !== null && edits.tag !== (stored?.tag ?? null);
    this.base = isOld ? edits.base : stored ? workOf(stored.exercise) : null;
    this.tag = isOld ? edits.tag : (stored?.tag ?? null);
    this.work = edits?.work ?? (stored ? workOf(stored.exercise) : emptyWork());
    const changed = () => this.changed();
    this.parts = {
      statement: new StatementPart(this.work, runtimes, changed),
      tests: new TestsPart(this.work, changed),
      limits: new LimitsPart(this.work, runtimes, changed),
      checker: new CheckerPart(this.work, changed),
    };
    this.results = new ResultsPart(app, id, signal);
    const { tabs } = tt;
    const parts = Object.entries(this.parts).map(([name, { node }]) => ({ name, label: tabs[name as keyof Desk["parts"]], node }));
    const rest = [{ name: "results", label: tabs.results, node: this.results.node }, { name: "try", label: tabs.try, node: this.trialNode }];
    this.tabs = new Tabs(tabs.label, [...parts, ...rest], (name) => this.opened(name));
    const bar = h("div", { class: "save-bar", role: "group", "aria-label": tt.bar.label }, this.state, this.kept, h("span", { class: "actions" }, this.view, this.discardButton, this.saveButton));
    this.node = h("div", { class: "teach stack" }, this.heading, bar, this.note, this.tabs.list, this.tabs.panels);
    this.listen();
    this.showState();
    if (edits && isOld) this.tellConflict(stored);
    else if (edits) say(this.kept, tt.bar.restored);
  }

  get title(): string {
    return this.work.title || this.id;
  }

  /** Opens the tab that the address names. */
  begin(name: string | null): void {
    this.tabs.open(name);
  }

  private listen(): void {
    const { signal } = this;
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
        event.preventDefault();
        if (!document.querySelector("dialog[open]")) void this.save();
      },
      { signal },
    );
    // Only what no browser keeps could be lost.
    window.addEventListener("beforeunload", (event) => !this.isKept && this.isEdited && event.preventDefault(), { signal });
    const keepNow = () => this.keepTimer !== undefined && this.keep();
    window.addEventListener("pagehide", keepNow, { signal });
    signal.addEventListener("abort", keepNow);
  }

  private get isEdited(): boolean {
    return !isSame(this.work, this.base ?? emptyWork());
  }

  private opened(name: string): void {
    if (name === "results") void this.results.open(this.exercise !== null);
    if (name === "try") void this.openTrial();
    // Which languages there are is chosen in another part.
    if (name === "limits" && !this.parts.limits.node.querySelector("[aria-invalid]")) this.parts.limits.show(this.work);
  }

  private async openTrial(): Promise<void> {
    this.trial ??= import("./try").then(({ TryPart }) => {
      const part = new TryPart(this.app, () => void this.save(), this.signal);
      fill(this.trialNode, part.node);
      return part;
    });
    await (await this.trial).open(this.exercise, this.isEdited);
  }

  private changed(): void {
    clearTimeout(this.keepTimer);
    this.keepTimer = setTimeout(() => this.keep(), KEEP_AFTER_MS);
  }

  private keep(): void {
    clearTimeout(this.keepTimer);
    this.keepTimer = undefined;
    if (this.isEdited) this.isKept = this.edits.write(this.id, { work: this.work, base: this.base, tag: this.tag });
    else this.edits.forget(this.id);
    this.showState();
  }

  private showState(): void {
    const { bar } = tt;
    const { exercise, isEdited } = this;
    say(this.heading, this.title);
    say(this.state, exercise ? bar.stored(exercise.version, t.format.moment(exercise.updated_at)) : bar.neverSaved);
    say(this.kept, !isEdited ? (exercise ? bar.noChanges : "") : this.isKept ? bar.kept : bar.notKept);
    this.discardButton.hidden = !isEdited;
    this.view.hidden = exercise === null;
    this.view.href = this.app.address(`exercises/${encodeURIComponent(this.id)}`);
  }

  private show(work: Work): void {
    this.work = work;
    for (const part of Object.values(this.parts)) part.show(work);
    this.markTabs();
  }

  private async discard(): Promise<void> {
    if (!(await confirmed(tt.bar.discardSure))) return;
    fill(this.note);
    this.show(this.base ? structuredClone(this.base) : emptyWork());
    this.keep();
    this.saveButton.focus();
  }

  private async save(): Promise<void> {
    if (this.isSaving) return;
    this.keep();
    this.isSaving = true;
    this.saveButton.setAttribute("aria-disabled", "true");
    say(this.saveButton, tt.bar.saving);
    forgive(this.node);
    fill(this.note);
    const sent = structuredClone(this.work);
    try {
      const before = this.exercise?.version;
      const stored = await this.app.session.api.putExercise(this.id, sent, this.tag);
      this.saved(sent, stored, before);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      await this.refused(error.problem, sent);
    } finally {
      this.isSaving = false;
      this.saveButton.removeAttribute("aria-disabled");
      say(this.saveButton, tt.bar.save);
    }
  }

  private saved(sent: Work, { exercise, tag }: Stored, before: number | undefined): void {
    this.take({ exercise, tag });
    const now = workOf(exercise);
    // What was typed while it was on its way stays, as a change of what is stored now.
    if (isSame(this.work, sent) && !isSame(sent, now)) this.show(now);
    this.keep();
    const text = exercise.version === before ? tt.bar.unchanged : tt.bar.saved(exercise.version);
    say(this.kept, text);
    announce(text);
    document.title = t.title(this.title);
    if (!this.trialNode.closest("[hidden]")) void this.openTrial();
  }

  private take({ exercise, tag }: Stored): void {
    this.exercise = exercise;
    this.base = workOf(exercise);
    this.tag = tag;
  }

  private async refused(problem: Problem, sent: Work): Promise<void> {
    if (problem.status === 412) {
      const stored = await this.read();
      // A request whose answer was lost went twice: the first stored it.
      if (stored && isSame(workOf(stored.exercise), sent)) return this.saved(sent, stored, undefined);
      return this.tellConflict(stored);
    }
    const places = problem.errors.map(({ pointer, message }) => ({ pointer, message, ...this.find(pointer) }));
    const lost = places.filter(({ control }) => !control);
    fill(
      this.note,
      h(
        "div",
        { class: "refusal stack", role: "alert" },
        h("h2", {}, tt.bar.refused),
        h("p", {}, places.length > 0 ? tt.faults(places.length) : problem.detail),
        lost.length > 0 ? h("ul", {}, ...lost.map(({ pointer, message }) => h("li", {}, t.ticket.field(pointer, message)))) : null,
      ),
    );
    for (const { control, message } of places) if (control) blame(control, message, () => this.markTabs());
    this.markTabs();
    const [first] = places.filter(({ control }) => control);
    if (!first?.control) return;
    this.tabs.open(first.tab);
    const folded = first.control.closest("details");
    if (folded) folded.open = true;
    first.control.focus();
  }

  private find(pointer: string): { tab: string; control: HTMLElement | null } {
    for (const [tab, part] of Object.entries(this.parts)) {
      const control = part.place(pointer);
      if (control) return { tab, control };
    }
    return { tab: "", control: null };
  }

  private markTabs(): void {
    let all = 0;
    for (const [name, part] of Object.entries(this.parts)) {
      const count = part.node.querySelectorAll("[aria-invalid]").length;
      all += count;
      this.tabs.mark(name, count > 0 ? tt.faults(count) : "");
    }
    if (all === 0) this.note.querySelector(".refusal:not(:has(button))")?.remove();
  }

  private async read(): Promise<Stored | null> {
    try {
      return await this.app.session.api.exerciseWithTag(this.id, this.signal);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
      throw error;
    }
  }

  private tellConflict(stored: Stored | null): void {
    const { base } = this;
    const theirs = stored ? workOf(stored.exercise) : emptyWork();
    // What is one's own is looked at when the choice is made: typing goes on meanwhile.
    const note = conflictNote(base, this.work, stored?.exercise ?? null, {
      join: () => this.goOn(stored, joined(base ?? emptyWork(), this.work, theirs).work, tt.conflict.joined),
      keep: () => this.goOn(stored, this.work, tt.conflict.rebased),
      take: () => this.goOn(stored, theirs, tt.bar.noChanges),
    });
    fill(this.note, note);
    this.note.scrollIntoView({ block: "nearest" });
    note.querySelector<HTMLElement>("button")?.focus();
  }

  /** Goes on from what is stored now. */
  private goOn(stored: Stored | null, work: Work, told: string): void {
    if (stored) this.take(stored);
    else {
      this.exercise = null;
      this.base = null;
      this.tag = null;
    }
    fill(this.note);
    this.show(work);
    this.keep();
    say(this.kept, told);
    announce(told);
    this.saveButton.focus();
  }
}

export async function openTeachExercise(app: App, { parameters, query, signal }: Opening): Promise<View> {
  await chooseTeachTexts();
  const id = parameters.id ?? "";
  const stored = app.session.api.exerciseWithTag(id, signal).catch((error: unknown) => {
    // One that is not stored yet is begun here.
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  });
  const desk = new Desk(app, id, await stored, await app.runtimes(), signal);
  desk.begin(query.get("tab"));
  return { title: desk.title, node: desk.node };
}
