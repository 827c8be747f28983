import { expect, test } from "vitest";
import type { Submission, SubmissionEvent, TestReport } from "../../src/api/types";
import { after, merged, type Story, storyOf, unknownStory } from "../../src/state/story";

const ID = "0199-1";

function submission(fields: Partial<Submission>): Submission {
  return { id: ID, state: "queued", round: 1, attempt: 0, position: 3, eta: null, result: null, files: [], ...fields } as Submission;
}

function event<Name extends SubmissionEvent["name"]>(name: Name, data: object): SubmissionEvent {
  return { name, data: { submission_id: ID, round: 1, attempt: 1, ...data } } as SubmissionEvent;
}

const finishedTest = (index: number, attempt = 1) =>
  event("submission.test_finished", { attempt, of: 3, test: { index, name: `t${index}`, verdict: "accepted" } as TestReport });
const position = (place: number) => event("queue.position", { attempt: 0, position: place, eta: null, reason: "ahead_left" });
const started = (attempt = 1) => event("submission.started", { attempt });
const requeued = event("submission.requeued", { reason: "instance_lost", position: 1 });

const told = (story: Story, ...events: SubmissionEvent[]) => events.reduce(after, story);

test("a place falls, and how far it came is kept", () => {
  const story = told(storyOf(submission({ position: 9 })), position(5), position(2));

  expect(story).toMatchObject({ state: "queued", position: 2, firstPosition: 9, reason: "ahead_left" });
});

test("tests are in order and count once, whatever comes twice", () => {
  const story = told(storyOf(submission({})), started(), finishedTest(2), finishedTest(1), finishedTest(2));

  expect(story.tests.map(({ index }) => index)).toEqual([1, 2]);
  expect(story).toMatchObject({ state: "running", position: null, of: 3 });
});

test("a place that comes after the start changes nothing", () => {
  const running = told(storyOf(submission({})), started());

  expect(after(running, position(4))).toBe(running);
});

test("what a lost attempt told last does not count for the next", () => {
  const back = told(storyOf(submission({})), started(), finishedTest(1), requeued);
  const late = told(back, finishedTest(2));
  const again = told(late, started(2), finishedTest(1, 2));

  expect(back).toMatchObject({ state: "queued", lost: "instance_lost", position: 1, tests: [] });
  expect(late).toBe(back);
  expect(again).toMatchObject({ state: "running", attempt: 2, lost: "instance_lost" });
  expect(again.tests).toHaveLength(1);
});

test("an ending brings the whole submission, and nothing follows it", () => {
  const result = { round: 1, verdict: "accepted", compile: null, tests: [{ index: 1 }] };
  const whole = submission({ state: "finished", attempt: 1, result: result as unknown as Submission["result"] });
  const over = told(storyOf(submission({})), started(), event("submission.finished", { submission: whole }));

  expect(over).toMatchObject({ state: "finished", submission: whole, of: 1 });
  expect(after(over, finishedTest(2))).toBe(over);
});

test("a new round begins anew", () => {
  const over = storyOf(submission({ state: "finished", attempt: 1 }));
  const again = after(over, event("submission.queued", { round: 2, attempt: 0, position: 4, eta: null }));

  expect(again).toMatchObject({ state: "queued", round: 2, position: 4, tests: [] });
});

test("of two views of a submission the fuller one counts", () => {
  const read = storyOf(submission({ state: "running", attempt: 1, position: null }));
  const kept = told(unknownStory(ID), started(), finishedTest(1));

  expect(merged(read, kept).tests).toHaveLength(1);
  expect(merged(kept, read).tests).toHaveLength(1);
  expect(merged(read, kept).submission).toBe(read.submission);
});
