/** What happens to submissions, as it happens: this tab's end of the shared stream. */
import type { SubmissionEvent } from "../api/types";
import { connect } from "../hub/connect";
import type { Connection, FromHub, ToHub } from "../hub/protocol";
import type { Session } from "./session";
import { isAborted, Signal } from "./signal";
import { after, isOver, merged, storyOf, type Story } from "./story";

interface Watched {
  story: Story | null;
  /** What came before the submission was read. */
  early: SubmissionEvent[];
  hearers: Set<(story: Story) => void>;
}

export class Live {
  readonly connection = new Signal<Connection>("connecting");
  /** The newest event of all. */
  readonly event = new Signal<SubmissionEvent | null>(null);
  /** Counts the views of all that wait or run: after each, lists are to be read again. */
  readonly views = new Signal(0);
  private readonly watched = new Map<string, Watched>();

  private constructor(
    private readonly session: Session,
    private readonly port: MessagePort,
  ) {}

  /** The way to the hub of who is signed in. */
  static async open(session: Session): Promise<Live> {
    const live = new Live(session, await connect(session.me.value?.sub ?? ""));
    live.port.onmessage = (message: MessageEvent<FromHub>) => live.hear(message.data);
    const greet = () => {
      if (session.key !== null) live.post({ type: "session", root: session.root.href, key: session.key });
    };
    session.me.show(greet);
    window.addEventListener("pagehide", () => live.post({ type: "bye" }));
    // Back from the browser's cache of pages.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      greet();
      for (const [id, { story }] of live.watched) live.follow(id, story);
    });
    return live;
  }

  /** Tells a submission's story, now and after each change, until `signal` fires. */
  watch(id: string, hearer: (story: Story) => void, signal: AbortSignal): void {
    let watched = this.watched.get(id);
    if (!watched) {
      watched = { story: null, early: [], hearers: new Set() };
      this.watched.set(id, watched);
      void this.read(id);
    } else if (watched.story) {
      hearer(watched.story);
    }
    const { hearers } = watched;
    hearers.add(hearer);
    signal.addEventListener("abort", () => {
      hearers.delete(hearer);
      if (hearers.size > 0) return;
      this.watched.delete(id);
      this.post({ type: "leave", id });
    });
  }

  /** Reads a submission as it is, and tells its story from there. */
  async read(id: string): Promise<void> {
    try {
      const submission = await this.session.api.submission(id);
      const watched = this.watched.get(id);
      if (!watched) return;
      const read = storyOf(submission);
      const { story: before } = watched;
      const story = before && !isOver(read.state) ? { ...merged(read, before), submission } : read;
      const early = watched.early.splice(0);
      this.change(watched, early.reduce(after, story));
      if (!isOver(story.state)) this.follow(id, story);
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  private follow(id: string, story: Story | null): void {
    this.post({ type: "follow", id, own: story?.submission?.owner === this.session.me.value?.sub });
  }

  private hear(message: FromHub): void {
    switch (message.type) {
      case "connection":
        this.connection.set(message.connection);
        break;
      case "event":
        this.take(message.event);
        break;
      case "story": {
        const watched = this.watched.get(message.story.id);
        if (watched?.story) this.change(watched, merged(watched.story, message.story));
        break;
      }
      case "unfinished":
        this.compare(message.stories);
        break;
      case "unauthorized":
        this.session.expire(message.key);
        break;
    }
  }

  private take(event: SubmissionEvent): void {
    const watched = this.watched.get(event.data.submission_id);
    if (watched?.story) this.change(watched, after(watched.story, event));
    else watched?.early.push(event);
    this.event.set(event);
  }

  private compare(stories: Story[]): void {
    const unfinished = new Map(stories.map((story) => [story.id, story]));
    for (const [id, watched] of this.watched) {
      if (!watched.story || isOver(watched.story.state)) continue;
      const now = unfinished.get(id);
      if (now) this.change(watched, merged(watched.story, now));
      else void this.read(id);
    }
    this.views.set(this.views.value + 1);
  }

  private change(watched: Watched, story: Story): void {
    if (story === watched.story) return;
    watched.story = story;
    for (const hearer of [...watched.hearers]) hearer(story);
  }

  private post(message: ToHub): void {
    this.port.postMessage(message);
  }
}
