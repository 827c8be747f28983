/** Where a program is written, run and submitted: files and editor on one side, the ticket on the other. */
import type { App } from "../../app";
import { Refused } from "../../api/problem";
import type { Exercise, Limits, Runtime, Submission, SubmissionRequest } from "../../api/types";
import { announce } from "../../dom/announce";
import { confirmed } from "../../dom/dialog";
import { freshId, h, say } from "../../dom/h";
import type { Draft, DraftFile } from "../../state/drafts";
import { pause } from "../../state/signal";
import { storyOf, type Story } from "../../state/story";
import { t } from "../../texts";
import { CodeEditor } from "../editor/editor";
import { limitsFor } from "../result/report";
import { Ticket } from "../ticket";
import { refusalNote } from "./refusal";
import { starterFiles } from "./starter";
import { FileTabs } from "./tabs";

/** What a workbench is for. */
export interface Purpose {
  /** What its drafts are kept under. */
  place: string;
  exercise: Exercise | null;
  /** The languages that one may choose from; never empty. */
  runtimes: Runtime[];
  /** A program to begin with in place of the draft. */
  reopened: { id: string; runtime: string; files: DraftFile[]; stdin: string; args: string } | null;
  /** The submission that is shown at first. */
  latest: string | null;
}

type Kind = "run" | "submit";

/** How long after a change it is kept. */
const KEEP_AFTER_MS = 300;
/** How often it is looked whether a language can run again. */
const LOOK_MS = 10_000;

export class Workbench {
  readonly code: HTMLElement;
  readonly result: HTMLElement;
  private readonly editor: CodeEditor;
  private readonly tabs: FileTabs;
  private readonly ticket: Ticket;
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly select: HTMLSelectElement;
  private readonly stdin = h("textarea", { id: freshId("stdin"), rows: 4, spellcheck: "false" });
  private readonly args = h("textarea", { id: freshId("args"), rows: 2, spellcheck: "false" });
  private readonly kept = h("span", { class: "quiet" });
  private keepTimer: ReturnType<typeof setTimeout> | undefined;
  private following = new AbortController();
  private story: Story | null = null;
  private isBusy = false;
  private runtimes: Runtime[];

  constructor(
    private readonly app: App,
    private readonly purpose: Purpose,
    private readonly signal: AbortSignal,
  ) {
    this.runtimes = purpose.runtimes;
    const keys = { run: () => void this.send("run"), submit: () => void this.send(this.canSubmit ? "submit" : "run") };
    this.editor = new CodeEditor(keys, () => this.keepSoon());
    const panel = h("div", { class: "editor", id: freshId("editor") }, this.editor.node);
    this.tabs = new FileTabs(this.editor, panel);
    this.ticket = new Ticket({
      limits: (runtime) => this.limits(runtime),
      runtime: (id) => this.runtimes.find((known) => known.id === id) ?? null,
      reveal: (file, line, column) => this.reveal(file, line, column),
      cancel: async (id) => this.cancel(id),
    });
    const chosen = this.firstRuntime();
    this.select = h(
      "select",
      { id: freshId("runtime"), on: { change: () => this.open(this.select.value) } },
      ...purpose.runtimes.map(({ id, name }) => h("option", { value: id, selected: id === chosen }, name)),
    );
    this.code = this.codePane(panel);
    this.result = this.resultPane();
    for (const field of [this.stdin, this.args]) {
      field.addEventListener("input", () => this.keepSoon());
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        if (event.shiftKey) keys.submit();
        else keys.run();
      });
    }
    this.open(chosen);
    if (purpose.latest) this.follow(purpose.latest);
    signal.addEventListener("abort", () => this.close());
    void this.lookAfterRuntimes();
  }

  /** A button that sends, for this pane or another. */
  sendButton(kind: Kind): HTMLButtonElement {
    const button = h(
      "button",
      { type: "button", class: kind === "submit" || !this.canSubmit ? "primary" : "", on: { click: () => void this.send(kind) } },
      kind === "submit" ? t.exercise.submit : t.exercise.run,
    );
    this.buttons.push(button);
    return button;
  }

  /** Takes an input for the next run. */
  useInput(stdin: string, args: string[]): void {
    this.stdin.value = stdin;
    this.args.value = args.join("\n");
    const details = this.stdin.closest("details");
    if (details) details.open = true;
    this.stdin.focus();
    this.keepSoon();
  }

  private get canSubmit(): boolean {
    return this.purpose.exercise !== null;
  }

  private limits(runtime: string): Limits | null {
    const known = this.runtimes.find(({ id }) => id === runtime);
    return known ? limitsFor(this.purpose.exercise, known) : null;
  }

  private firstRuntime(): string {
    const { reopened, place, runtimes } = this.purpose;
    const wanted = reopened?.runtime ?? this.app.drafts.runtime(place);
    const found = runtimes.find(({ id }) => id === wanted) ?? runtimes.find(({ ready }) => ready) ?? runtimes[0];
    return found?.id ?? "";
  }

  private codePane(panel: HTMLElement): HTMLElement {
    const label = (field: HTMLElement, text: string) => h("label", { for: field.id }, text);
    const startOver = h("button", { type: "button", class: "plain", on: { click: () => void this.startOver() } }, t.exercise.startOver);
    return h(
      "section",
      { class: "pane code", id: "code", "aria-label": t.exercise.code },
      h("div", { class: "toolbar" }, label(this.select, t.exercise.runtime), this.select, startOver, this.kept),
      this.tabs.node,
      panel,
      h("p", { class: "quiet hint" }, t.exercise.leave),
      h(
        "details",
        { class: "inputs", open: !this.canSubmit },
        h("summary", {}, t.exercise.input),
        label(this.stdin, t.exercise.input),
        this.stdin,
        label(this.args, t.exercise.arguments),
        this.args,
      ),
      h("p", { class: "actions" }, this.sendButton("run"), this.canSubmit ? this.sendButton("submit") : null),
    );
  }

  private resultPane(): HTMLElement {
    this.ticket.put(h("p", { class: "quiet" }, this.canSubmit ? t.exercise.empty : t.exercise.emptyRun));
    return h("section", { class: "pane result", id: "result", "aria-label": t.exercise.result }, h("h2", {}, t.exercise.result), this.ticket.node);
  }

  private open(runtime: string): void {
    const { reopened, place, exercise } = this.purpose;
    const known = this.purpose.runtimes.find(({ id }) => id === runtime);
    if (!known) return;
    const isReopened = reopened?.runtime === runtime;
    const draft: Draft = (isReopened ? reopened : this.app.drafts.read(place, runtime)) ?? {
      files: starterFiles(exercise, known, this.purpose.runtimes),
      stdin: this.stdin.value,
      args: this.args.value,
    };
    this.editor.load(draft.files);
    this.stdin.value = draft.stdin;
    this.args.value = draft.args;
    this.tabs.show();
    if (isReopened) this.keep();
  }

  private async startOver(): Promise<void> {
    if (!(await confirmed(t.exercise.startOverSure))) return;
    this.app.drafts.forget(this.purpose.place, this.select.value);
    this.purpose.reopened = null;
    this.open(this.select.value);
  }

  private keepSoon(): void {
    clearTimeout(this.keepTimer);
    this.keepTimer = setTimeout(() => this.keep(), KEEP_AFTER_MS);
  }

  private keep(): void {
    clearTimeout(this.keepTimer);
    const draft = { files: this.editor.files(), stdin: this.stdin.value, args: this.args.value };
    const isKept = this.app.drafts.write(this.purpose.place, this.select.value, draft);
    say(this.kept, isKept ? t.exercise.draftKept : t.exercise.draftNotKept);
  }

  private body(kind: Kind): SubmissionRequest {
    const { exercise } = this.purpose;
    const body: SubmissionRequest = { runtime: this.select.value, files: this.editor.files() };
    if (exercise) body.exercise_id = exercise.id;
    if (kind === "run") {
      const args = this.args.value.split("\n").filter((line) => line !== "");
      body.run = { stdin: this.stdin.value, args };
    }
    return body;
  }

  private async send(kind: Kind): Promise<void> {
    if (this.isBusy) return;
    this.keep();
    this.setBusy(true);
    this.editor.showDiagnostics([]);
    this.unfollow();
    this.ticket.put(h("p", { class: "verdict" }, t.ticket.sending));
    announce(t.ticket.sending);
    try {
      // The press has one key, however often the request must go.
      const submission = await this.app.session.api.submit(this.body(kind), freshKey());
      if (this.signal.aborted) return;
      this.setBusy(false);
      this.start(submission);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.ticket.put(refusalNote(error, this.signal, () => this.setBusy(false)));
    }
  }

  private setBusy(isBusy: boolean): void {
    this.isBusy = isBusy;
    for (const button of this.buttons) button.setAttribute("aria-disabled", String(isBusy));
  }

  private start(submission: Submission): void {
    this.show(storyOf(submission));
    this.follow(submission.id);
    if (matchMedia("(max-width: 56.25rem)").matches) this.result.scrollIntoView();
  }

  private follow(id: string): void {
    this.unfollow();
    this.app.live.watch(id, (story) => this.show(story), this.following.signal);
  }

  private unfollow(): void {
    this.following.abort();
    this.following = new AbortController();
  }

  private show(story: Story): void {
    const isNew = this.story?.compile !== story.compile;
    this.story = story;
    this.ticket.show(story);
    if (isNew && story.compile) this.editor.showDiagnostics(story.compile.diagnostics);
  }

  private reveal(file: string, line: number, column: number | null): void {
    this.editor.reveal(file, line, column);
    this.tabs.show();
    this.code.scrollIntoView({ block: "nearest" });
  }

  private async cancel(id: string): Promise<void> {
    try {
      await this.app.session.api.cancel(id);
    } catch (error) {
      // It ended first: the stream tells how.
      if (!(error instanceof Refused)) throw error;
    }
  }

  /** While a program waits and its estimate is not known, the reason may be that its language cannot run. */
  private async lookAfterRuntimes(): Promise<void> {
    for (;;) {
      const wasAborted = await pause(LOOK_MS, this.signal).then(() => false, () => true);
      if (wasAborted) return;
      if (this.story?.state !== "queued" || this.story.eta) continue;
      this.runtimes = await this.app.runtimes(true).catch(() => this.runtimes);
      if (this.story) this.ticket.show(this.story);
    }
  }

  private close(): void {
    if (this.keepTimer !== undefined) this.keep();
    this.unfollow();
    this.editor.close();
  }
}

/** 128 random bits; pages without TLS have no `crypto.randomUUID`. */
function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
