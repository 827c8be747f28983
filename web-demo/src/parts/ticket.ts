/** The ticket: a submission on its way, state by state, and what came of it. It changes in place: nothing jumps. */
import type { Limits, PositionReason, Runtime } from "../api/types";
import { announce } from "../dom/announce";
import { fill, h, say } from "../dom/h";
import { t } from "../texts";
import { isOver, type Story } from "../state/story";
import { stateMark, verdictMark } from "./mark";
import { compileReport, type Reveal } from "./result/compile";
import { report } from "./result/report";
import { sentence } from "./result/sentence";

/** What a ticket needs from its view. */
export interface TicketOptions {
  /** The limits of that runtime; null while they are not known. */
  limits(runtime: string): Limits | null;
  runtime(id: string): Runtime | null;
  /** Leads to a place in the editor; null without one. */
  reveal: Reveal | null;
  cancel(id: string): Promise<void>;
}

/** Each fifth place is read out, and the last ones. */
const SPOKEN_PLACES = 5;

export class Ticket {
  readonly node = h("div", { class: "ticket" });
  private story: Story | null = null;
  private face: Face | null = null;

  constructor(private readonly options: TicketOptions) {}

  /** Shows a story, and has its news read out if it was shown before. */
  show(story: Story): void {
    const before = this.story?.id === story.id ? this.story : null;
    this.story = story;
    const kind = faceOf(story);
    if (this.face?.kind !== kind || !before || before.submission !== story.submission) {
      this.face = faces[kind](story, this.options);
      fill(this.node, this.face.node);
    }
    this.face.update(story);
    if (before) speak(before, story);
  }

  /** Shows something else in its place. */
  put(...nodes: Node[]): void {
    this.story = null;
    this.face = null;
    fill(this.node, ...nodes);
  }
}

type Kind = "queued" | "running" | "over";

/** How a state looks. */
interface Face {
  kind: Kind;
  node: HTMLElement;
  update(story: Story): void;
}

const faceOf = ({ state }: Story): Kind => (isOver(state) || state === "draft" ? "over" : state === "queued" ? "queued" : "running");

const faces: Record<Kind, (story: Story, options: TicketOptions) => Face> = { queued, running, over };

function cancelButton({ id }: Story, options: TicketOptions): HTMLElement {
  const button = h("button", { type: "button" }, t.ticket.cancel);
  button.addEventListener("click", () => {
    button.disabled = true;
    say(button, t.ticket.cancelling);
    void options.cancel(id).finally(() => {
      button.disabled = false;
      say(button, t.ticket.cancel);
    });
  });
  return button;
}

function queued(first: Story, options: TicketOptions): Face {
  const place = h("p", { class: "place" });
  const eta = h("p", { class: "eta" });
  const way = h("span", { class: "fill" });
  const reason = h("p", { class: "reason" });
  const fault = h("p", { class: "note" });
  const node = h(
    "div",
    { class: "stack" },
    h("p", { class: "label" }, t.ticket.place),
    place,
    h("div", { class: "way", "aria-hidden": "true" }, way),
    eta,
    reason,
    fault,
    h("p", { class: "actions" }, cancelButton(first, options)),
  );
  const update = (story: Story) => {
    const { position, firstPosition, lost, attempt } = story;
    say(place, position === null ? "…" : t.format.number(position));
    const runtime = options.runtime(story.submission?.runtime ?? "");
    say(eta, story.eta ? t.ticket.eta(story.eta) : runtime?.blocked_by ? t.ticket.blocked(runtime.name, runtime.blocked_by) : t.ticket.noEta);
    const done = firstPosition && position ? (firstPosition - position + 1) / firstPosition : 0;
    way.style.inlineSize = `${Math.round(done * 100)}%`;
    say(reason, reasonText(story.reason, position));
    say(fault, lost ? t.ticket.lost(lost, attempt + 1) : "");
  };
  return { kind: "queued", node, update };
}

const reasonText = (reason: PositionReason | null, position: number | null): string =>
  reason ? t.ticket.reason(reason) : position === 1 ? t.ticket.next : "";

function running(first: Story, options: TicketOptions): Face {
  const state = h("p", { class: "verdict" }, stateMark("running"));
  const way = h("span", { class: "fill" });
  const count = h("p", { class: "figure" });
  const fault = h("p", { class: "note" });
  const compile = h("div", {});
  const rows = h("ol", { class: "tests" });
  const node = h(
    "div",
    { class: "stack" },
    state,
    h("div", { class: "way", "aria-hidden": "true" }, way),
    count,
    fault,
    compile,
    rows,
    h("p", { class: "actions" }, cancelButton(first, options)),
  );
  let shown = 0;
  const update = (story: Story) => {
    const { tests, of, lost, attempt } = story;
    say(fault, lost ? t.ticket.lostBefore(lost, attempt) : "");
    say(count, of === null ? t.ticket.compiling : t.ticket.of(tests.length, of));
    way.style.inlineSize = `${of ? Math.round((tests.length / of) * 100) : 0}%`;
    if (story.compile && !story.compile.ok && compile.childElementCount === 0) {
      fill(compile, compileReport(story.compile, options.reveal));
    }
    if (tests.length < shown) rows.replaceChildren();
    shown = tests.length;
    const known = new Set(Array.from(rows.children, (row) => row.getAttribute("data-test")));
    for (const test of tests) {
      if (known.has(String(test.index))) continue;
      const name = t.result.testName(test.name, test.visibility === "hidden");
      rows.append(
        h(
          "li",
          { class: `test ${test.verdict === "accepted" ? "good" : test.verdict === "skipped" ? "" : "bad"}`, "data-test": test.index },
          h("div", { class: "row" }, verdictMark(test.verdict), h("span", { class: "name" }, name), h("span", { class: "figure" }, t.format.milliseconds(test.usage.cpu_time_ms))),
        ),
      );
    }
  };
  return { kind: "running", node, update };
}

function over(story: Story, options: TicketOptions): Face {
  const { submission, state } = story;
  const still = { kind: "over" as const, update: () => undefined };
  if (!submission) return { ...still, node: h("div", {}, stateMark(state)) };
  if (state === "finished" && submission.result) {
    return { ...still, node: report(submission, options.limits(submission.runtime), options.reveal) };
  }
  const { failure } = submission;
  const text = state === "failed" ? t.ticket.failed : state === "draft" ? t.ticket.draft : t.ticket.cancelled;
  const why = failure ? h("p", { class: "quiet" }, t.ticket.failedWhy(failure.code, failure.attempts.length)) : null;
  return { ...still, node: h("div", { class: "stack" }, h("p", { class: "verdict" }, stateMark(state)), h("p", {}, text), why) };
}

/** Reads out what happened: places now and then, the start, each failed test, the end. */
function speak(before: Story, now: Story): void {
  if (isOver(now.state)) {
    if (isOver(before.state)) return;
    const text = now.state === "finished" && now.submission ? sentence(now.submission) : t.states(now.state);
    announce(t.result.ended(text));
  } else if (now.state === "running") {
    if (before.state !== "running") announce(t.ticket.startedSpoken);
    for (const test of now.tests.slice(before.tests.length)) {
      if (test.verdict !== "accepted" && test.verdict !== "skipped") announce(t.result.testFailed(test.name, t.verdicts(test.verdict)));
    }
  } else if (now.position !== null && now.position !== before.position) {
    const isSpoken = now.position % SPOKEN_PLACES === 0 || now.position <= 2;
    if (isSpoken) announce(t.ticket.placeSpoken(now.position));
  }
}
