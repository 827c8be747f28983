/**
 * One event stream for all tabs of a subject: a browser opens only six connections to an origin, and each tab needs some.
 *
 * It holds `GET /v1/events` open and passes everything on. Of submissions that run it keeps the story, for tabs that come
 * late. What the stream doesn't tell (the start of one that ran before the hub did, or another owner's submission) it reads
 * from the submission's own log, over two more connections at most.
 */
import { listen, type Listener, type Told } from "../api/stream";
import { Refused } from "../api/problem";
import type { Submission, SubmissionEvent } from "../api/types";
import { after, isOver, storyOf, unknownStory, type Story } from "../state/story";
import type { Connection, FromHub, ToHub } from "./protocol";

/** A tab, from the hub's side. */
export interface Tab {
  post(message: FromHub): void;
}

/** How a stream is read; tests play the service. */
export type Listen = typeof listen;

const MAX_REPLAYS = 2;
/** The longest pause between attempts to connect. */
const MAX_PAUSE_MS = 10_000;

/** The events that tell of submissions; the type says that none is missing. */
const TELLS: Record<SubmissionEvent["name"], true> = {
  "submission.queued": true,
  "queue.position": true,
  "submission.started": true,
  "submission.compiled": true,
  "submission.test_finished": true,
  "submission.requeued": true,
  "submission.finished": true,
  "submission.failed": true,
  "submission.cancelled": true,
};

export class Hub {
  private readonly tabs = new Map<Tab, Map<string, boolean>>();
  private readonly stories = new Map<string, Story>();
  private readonly replays = new Map<string, AbortController>();
  private root: URL | null = null;
  /** Which session the stream is read by; null: none. */
  private key: string | null = null;
  private lastId: string | undefined;
  private retryMs = 2000;
  private connection: Connection = "connecting";
  /** Ends the stream that is open, or the pause before the next. */
  private stream: AbortController | null = null;
  private wake: (() => void) | null = null;

  constructor(private readonly read: Listen = listen) {}

  /** What a tab says. */
  hear(tab: Tab, message: ToHub): void {
    switch (message.type) {
      case "session":
        if (!this.tabs.has(tab)) this.tabs.set(tab, new Map());
        this.greet(tab);
        this.takeSession(new URL(message.root), message.key);
        break;
      case "follow":
        this.tabs.get(tab)?.set(message.id, message.own);
        this.tell(tab, message.id);
        this.startReplays();
        break;
      case "leave":
        this.tabs.get(tab)?.delete(message.id);
        this.endReplays();
        break;
      case "bye":
        this.tabs.delete(tab);
        this.endReplays();
        if (this.tabs.size === 0) this.close();
        break;
    }
  }

  /** Looks at once whether the service is back. */
  hurry(): void {
    this.wake?.();
  }

  private greet(tab: Tab): void {
    tab.post({ type: "connection", connection: this.connection });
    if (this.lastId !== undefined) tab.post({ type: "unfinished", stories: [...this.stories.values()] });
  }

  private tell(tab: Tab, id: string): void {
    const story = this.stories.get(id);
    if (story) tab.post({ type: "story", story });
  }

  private takeSession(root: URL, key: string): void {
    this.root = root;
    if (key === this.key) return;
    this.key = key;
    if (this.stream === null) void this.run();
    else this.stream.abort();
    this.hurry();
    this.startReplays();
  }

  private close(): void {
    this.key = null;
    this.stream?.abort();
    this.wake?.();
  }

  private broadcast(message: FromHub): void {
    for (const tab of this.tabs.keys()) tab.post(message);
  }

  private become(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    this.broadcast({ type: "connection", connection });
  }

  /** Keeps the stream open for as long as there are tabs. */
  private async run(): Promise<void> {
    let failures = 0;
    while (this.key !== null && this.root !== null) {
      this.stream = new AbortController();
      const { key } = this;
      const listener: Listener = {
        opened: () => {
          failures = 0;
          this.become("live");
          this.startReplays();
        },
        told: (event) => this.told(event),
        retryIn: (ms) => (this.retryMs = ms),
      };
      try {
        await this.read(this.root, "v1/events", this.lastId, this.stream.signal, listener);
      } catch (error) {
        if (isUnauthorized(error) && key === this.key) {
          this.key = null;
          this.broadcast({ type: "unauthorized", key });
          break;
        }
      }
      if (this.key === null || key !== this.key) continue;
      this.become("lost");
      await this.pause(failures++);
    }
    this.stream = null;
    // A session that came in the meantime.
    if (this.key !== null) void this.run();
  }

  /** First as long as the service asks for, then longer each time, spread so that not all come at once. */
  private pause(failures: number): Promise<void> {
    const longest = Math.min(MAX_PAUSE_MS, this.retryMs * 1.5 ** failures);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, longest * (0.5 + Math.random() / 2));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private told({ name, id, data }: Told): void {
    if (id !== undefined) this.lastId = id;
    if (name === "stream.snapshot") {
      this.begin((data as { items: Submission[] }).items);
    } else if (name in TELLS) {
      this.take({ name, data } as SubmissionEvent);
    }
  }

  /** A view of all that wait or run, in place of what was known. */
  private begin(items: Submission[]): void {
    const known = new Map(this.stories);
    this.stories.clear();
    for (const item of items) {
      const before = known.get(item.id);
      const isSame = before && before.round === item.round && before.attempt === item.attempt && before.state === item.state;
      this.stories.set(item.id, isSame ? before : storyOf(item));
    }
    for (const [tab, followed] of this.tabs) {
      tab.post({ type: "unfinished", stories: [...this.stories.values()] });
      for (const id of followed.keys()) this.tell(tab, id);
    }
    this.startReplays();
  }

  private take(event: SubmissionEvent): void {
    const id = event.data.submission_id;
    const story = after(this.stories.get(id) ?? unknownStory(id), event);
    if (isOver(story.state)) this.stories.delete(id);
    else this.stories.set(id, story);
    this.broadcast({ type: "event", event });
  }

  /** Whether a tab follows a submission, and whether the stream tells of it. */
  private followed(id: string): "own" | "foreign" | null {
    const owns = [...this.tabs.values()].map((followed) => followed.get(id)).filter((own) => own !== undefined);
    if (owns.length === 0) return null;
    return owns.some((own) => !own) ? "foreign" : "own";
  }

  private startReplays(): void {
    const wanted = new Set([...this.tabs.values()].flatMap((followed) => [...followed.keys()]));
    for (const id of wanted) {
      if (this.replays.size >= MAX_REPLAYS || this.key === null) return;
      const story = this.stories.get(id);
      const isNeeded = this.followed(id) === "foreign" || (story?.state === "running" && !story.whole);
      if (isNeeded && !this.replays.has(id)) void this.replay(id);
    }
  }

  private endReplays(): void {
    for (const [id, replay] of this.replays) {
      if (this.followed(id) === null) replay.abort();
    }
  }

  /** Reads a submission's log from its start to its end, or until nothing needs it. */
  private async replay(id: string): Promise<void> {
    const { root } = this;
    if (root === null || this.key === null) return;
    const replay = new AbortController();
    this.replays.set(id, replay);
    const listener: Listener = {
      opened: () => undefined,
      told: ({ name, data }) => {
        if (name in TELLS) this.take({ name, data } as SubmissionEvent);
      },
      retryIn: () => undefined,
    };
    let pauseMs = 0;
    try {
      await this.read(root, `v1/submissions/${encodeURIComponent(id)}/events`, undefined, replay.signal, listener);
      this.forget(id);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) this.forget(id);
      pauseMs = this.retryMs;
    }
    this.replays.delete(id);
    setTimeout(() => this.startReplays(), pauseMs);
  }

  /** All was told that a submission's own log has. */
  private forget(id: string): void {
    for (const followed of this.tabs.values()) if (followed.get(id) === false) followed.delete(id);
  }
}

function isUnauthorized(error: unknown): boolean {
  return error instanceof Refused && error.status === 401;
}
