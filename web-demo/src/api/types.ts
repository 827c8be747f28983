/** Shapes of the API under short names; `schema.d.ts` is made from openapi/openapi.json by `npm run types`. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Compile = Schemas["CompileReport"];
export type Container = Schemas["Container"];
export type Diagnostic = Schemas["Diagnostic"];
export type Eta = Schemas["Eta"];
export type Exercise = Schemas["Exercise"];
export type ExerciseResults = Schemas["ExerciseResults"];
export type FileRequest = Schemas["FileRequest"];
export type GradedSubmission = Schemas["GradedSubmission"];
export type GroupReport = Schemas["GroupReport"];
export type Hindrance = Schemas["Hindrance"];
export type Host = Schemas["Host"];
export type HostRequest = Schemas["HostRequest"];
export type Link = Schemas["Link"];
export type LimitHit = Schemas["LimitHit"];
export type Limits = Schemas["Limits"];
export type LostReason = Schemas["LostReason"];
export type FailureCode = Schemas["FailureCode"];
export type Me = Schemas["Me"];
export type OwnerResults = Schemas["OwnerResults"];
export type PositionReason = Schemas["PositionReason"];
export type Problem = Schemas["Problem"];
export type Queue = Schemas["Queue"];
export type QueueHistory = Schemas["QueueHistory"];
export type QueueMinute = Schemas["QueueMinute"];
export type Runtime = Schemas["Runtime"];
export type SourceFile = Schemas["SourceFile"];
export type Submission = Schemas["Submission"];
export type SubmissionRequest = Schemas["SubmissionRequest"];
export type State = Schemas["SubmissionState"];
export type TestReport = Schemas["TestReport"];
export type TestResults = Schemas["TestResults"];
export type Usage = Schemas["Usage"];
export type Verdict = Schemas["Verdict"];

/** A page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** The events that tell of submissions, by name. Others may come later. */
export interface SubmissionEvents {
  "submission.queued": Schemas["SubmissionQueued"];
  "queue.position": Schemas["QueuePosition"];
  "submission.started": Schemas["SubmissionStarted"];
  "submission.compiled": Schemas["SubmissionCompiled"];
  "submission.test_finished": Schemas["SubmissionTestFinished"];
  "submission.requeued": Schemas["SubmissionRequeued"];
  "submission.finished": Schemas["SubmissionEnded"];
  "submission.failed": Schemas["SubmissionEnded"];
  "submission.cancelled": Schemas["SubmissionEnded"];
}

/** One of them. */
export type SubmissionEvent = {
  [Name in keyof SubmissionEvents]: { name: Name; data: SubmissionEvents[Name] };
}[keyof SubmissionEvents];
