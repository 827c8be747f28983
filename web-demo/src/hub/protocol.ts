/** What tabs and the hub say to each other. */
import type { SubmissionEvent } from "../api/types";
import type { Story } from "../state/story";

/** How the hub's stream does. */
export type Connection = "connecting" | "live" | "lost";

/** From a tab. */
export type ToHub =
  /** First, and again with each new session, which `key` tells from others. */
  | { type: "session"; root: string; key: string }
  /** The tab shows this submission: `own` says whether the owner's stream tells of it. */
  | { type: "follow"; id: string; own: boolean }
  | { type: "leave"; id: string }
  /** The tab goes away. */
  | { type: "bye" };

/** From the hub. */
export type FromHub =
  | { type: "connection"; connection: Connection }
  | { type: "event"; event: SubmissionEvent }
  /** All that the hub knows of a submission, for one that follows it. */
  | { type: "story"; story: Story }
  /** Submissions that wait or run now, whole: what is not among them is over. */
  | { type: "unfinished"; stories: Story[] }
  /** The session of that key is over. */
  | { type: "unauthorized"; key: string };
