/**
 * A submission as the page knows it: what `GET` showed, and every event since. Pure, so that the tab and the hub keep the
 * same story.
 *
 * Events may come twice or late (a replay beside the live stream): those of an earlier round or attempt change nothing,
 * and a test counts once.
 */
import type {
  Compile,
  Eta,
  LostReason,
  PositionReason,
  State,
  Submission,
  SubmissionEvent,
  TestReport,
} from "../api/types";

export interface Story {
  id: string;
  /** As the service showed it last, whole or in a list; `null` before. */
  submission: Submission | null;
  state: State;
  round: number;
  attempt: number;
  position: number | null;
  /** The first place that was seen: how far it came is measured from here. */
  firstPosition: number | null;
  eta: Eta | null;
  reason: PositionReason | null;
  /** Why the attempt before was lost. */
  lost: LostReason | null;
  compile: Compile | null;
  /** In the order of the exercise's tests. */
  tests: TestReport[];
  /** How many tests there will be. */
  of: number | null;
  /** Whether all of this attempt is known that was told so far. */
  whole: boolean;
}

const OVER: readonly State[] = ["finished", "failed", "cancelled"];

/** Whether nothing more will come in this round. */
export const isOver = (state: State): boolean => OVER.includes(state);

/** A story out of a submission as the service shows it. */
export function storyOf(submission: Submission): Story {
  const { id, state, round, attempt, position, eta, result } = submission;
  const isResultOfRound = isOver(state) && result !== null && result.round === round;
  return {
    id,
    submission,
    state,
    round,
    attempt,
    position,
    firstPosition: position,
    eta,
    reason: null,
    lost: null,
    compile: isResultOfRound ? result.compile : null,
    tests: isResultOfRound ? (result.tests ?? []) : [],
    of: isResultOfRound ? (result.tests?.length ?? null) : null,
    whole: isOver(state) ? !isResultOfRound || result.tests !== null : state !== "running",
  };
}

/** A story of which nothing is known but that it is there. */
export function unknownStory(id: string): Story {
  return {
    id,
    submission: null,
    state: "queued",
    round: 0,
    attempt: 0,
    position: null,
    firstPosition: null,
    eta: null,
    reason: null,
    lost: null,
    compile: null,
    tests: [],
    of: null,
    whole: false,
  };
}

function isPast(story: Story, { name, data }: SubmissionEvent): boolean {
  if (data.round !== story.round) return data.round < story.round;
  if (data.attempt < story.attempt || isOver(story.state)) return true;
  // What the lost attempt told last, behind the news of its loss.
  const isOfLost = story.lost !== null && story.state === "queued" && data.attempt === story.attempt;
  return isOfLost && (name === "submission.test_finished" || name === "submission.compiled" || name === "submission.started");
}

/** The story after an event; the same object if the event is of the past. */
export function after(story: Story, event: SubmissionEvent): Story {
  if (isPast(story, event)) return story;
  const { round, attempt } = event.data;
  switch (event.name) {
    case "submission.queued": {
      const { position, eta } = event.data;
      if (story.state === "running" && round === story.round) return story;
      return { ...unknownStory(story.id), submission: story.submission, round, attempt, position, firstPosition: position, eta, whole: true };
    }
    case "queue.position": {
      const { position, eta, reason } = event.data;
      if (story.state !== "queued") return story;
      const firstPosition = Math.max(story.firstPosition ?? position, position);
      return { ...story, round, attempt, position, firstPosition, eta, reason };
    }
    case "submission.started":
      if (story.state === "running" && attempt === story.attempt) return { ...story, whole: true };
      return { ...story, state: "running", round, attempt, position: null, eta: null, reason: null, compile: null, tests: [], of: null, whole: true };
    case "submission.compiled":
      return { ...story, state: "running", round, attempt, position: null, compile: event.data.compile };
    case "submission.test_finished": {
      const { test, of } = event.data;
      const others = story.tests.filter((known) => known.index !== test.index);
      const tests = [...others, test].sort((a, b) => a.index - b.index);
      return { ...story, state: "running", round, attempt, position: null, tests, of };
    }
    case "submission.requeued": {
      const { position, reason } = event.data;
      if (story.state === "queued" && attempt === story.attempt && story.lost !== null) return story;
      return { ...story, state: "queued", round, attempt, position, firstPosition: position, eta: null, reason: null, lost: reason, compile: null, tests: [], of: null, whole: true };
    }
    case "submission.finished":
    case "submission.failed":
    case "submission.cancelled":
      return { ...storyOf(event.data.submission), lost: null };
  }
}

/** The fuller of two views of a submission. */
export function merged(mine: Story, theirs: Story): Story {
  const order = theirs.round - mine.round || theirs.attempt - mine.attempt;
  const isFuller = order > 0 || (order === 0 && !isOver(mine.state) && theirs.tests.length > mine.tests.length);
  return isFuller ? { ...theirs, submission: theirs.submission?.files ? theirs.submission : mine.submission } : mine;
}
