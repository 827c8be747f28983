/**
 * Who uses the page. The session is a cookie that no script can read, the same for all tabs; what is known here is whom the
 * service says it proves, and until when.
 *
 * Requests that find it over wait until someone has signed in again, and then go again: no text is lost by signing in.
 */
import { client, send, type Outgoing } from "../api/client";
import { Refused, Unreachable } from "../api/problem";
import type { Me } from "../api/types";
import { pause, Signal } from "./signal";

const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 8000;

/** What only reads goes again by itself when the service says when; what is sent, its sender decides. */
const isRead = ({ method }: Outgoing): boolean => method === undefined || method === "GET";

/** What tabs say to each other: the cookie is of one for all of them. */
type TabMessage = { type: "in"; me: Me } | { type: "out" };

export class Session {
  /** Who is signed in; a new value with each session. */
  readonly me = new Signal<Me | null>(null);
  /** Whether the session is over and the page waits for another. */
  readonly expired = new Signal(false);
  /** Whether a request waits for the service to be there again. */
  readonly waiting = new Signal(0);
  /** Whom another tab signed in while there is none here. */
  readonly offered = new Signal<Me | null>(null);
  readonly api = client((path, outgoing) => this.send(path, outgoing));
  private readonly tabs: BroadcastChannel;

  constructor(readonly root: URL) {
    this.tabs = new BroadcastChannel(`guichet ${root.pathname}`);
    this.tabs.onmessage = (message: MessageEvent<TabMessage>) => this.hear(message.data);
  }

  /** What tells this session from those before and after it; null without one. */
  get key(): string | null {
    return this.me.value?.expires_at ?? null;
  }

  /** Takes up the browser's session, if there is one. */
  async resume(): Promise<"signed_in" | "session_expired" | "none"> {
    try {
      this.take(await this.who());
      return "signed_in";
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      return error.code === "session_expired" ? "session_expired" : "none";
    }
  }

  /** Makes a session of a token; `Refused` if the token is worth nothing. */
  async signIn(token: string): Promise<void> {
    const made = await this.untilAnswered(undefined, () => send(this.root, "v1/session", { method: "POST", body: { token } }));
    this.take((await made.json()) as Me);
  }

  /** Ends the session, in every tab. Only the service can: the cookie is out of the page's reach. */
  async signOut(): Promise<void> {
    try {
      await this.untilAnswered(undefined, () => send(this.root, "v1/session", { method: "DELETE" }));
    } catch (error) {
      // One that is no session any more needs no end.
      if (!(error instanceof Refused) || error.status !== 401) throw error;
    }
    this.tell({ type: "out" });
    this.leave();
  }

  /** Notes that the session of that key is over. */
  expire(key: string | null): void {
    if (key === this.key && this.me.value) this.expired.set(true);
  }

  /** Who is signed in now. */
  private take(me: Me): void {
    this.tell({ type: "in", me });
    this.become(me);
  }

  private become(me: Me): void {
    const before = this.me.value;
    if (before && before.sub !== me.sub) {
      // Nothing of the one before is shown to the next, and nothing of his is sent.
      this.me.set(null);
      location.assign(this.root);
      return;
    }
    // Each tab says at its start who is signed in; that is no news to the others.
    if (before?.expires_at === me.expires_at && !this.expired.value) return;
    this.me.set(me);
    this.expired.set(false);
  }

  private async who(): Promise<Me> {
    for (;;) {
      try {
        return await this.untilAnswered(undefined, async () => (await (await send(this.root, "v1/me")).json()) as Me);
      } catch (error) {
        if (!(error instanceof Refused) || error.retryAfterS === null) throw error;
        await pause(error.retryAfterS * 1000);
      }
    }
  }

  private async send(path: string, outgoing: Outgoing = {}): Promise<Response> {
    for (;;) {
      const key = await this.usable(outgoing.signal);
      try {
        return await this.untilAnswered(outgoing.signal, () => send(this.root, path, outgoing));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (error.status === 401) this.expire(key);
        else if (isRead(outgoing) && error.retryAfterS !== null) await pause(error.retryAfterS * 1000, outgoing.signal);
        else throw error;
      }
    }
  }

  /**
   * Asks again where nothing answered. Every request of the page may be repeated: it reads, it says what shall be, or it
   * has an idempotency key.
   */
  private async untilAnswered<T>(signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    let longest = FIRST_PAUSE_MS;
    let isWaiting = false;
    try {
      for (;;) {
        try {
          return await ask();
        } catch (error) {
          if (!(error instanceof Unreachable)) throw error;
        }
        if (!isWaiting) this.waiting.set(this.waiting.value + 1);
        isWaiting = true;
        await pause(longest * (0.5 + Math.random() / 2), signal);
        longest = Math.min(LAST_PAUSE_MS, longest * 1.5);
      }
    } finally {
      if (isWaiting) this.waiting.set(this.waiting.value - 1);
    }
  }

  /** The session's key, once there is one that is not known to be over. */
  private usable(signal: AbortSignal | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const done = new AbortController();
      const look = () => {
        const { key } = this;
        if (key === null || this.expired.value) return;
        done.abort();
        resolve(key);
      };
      signal?.addEventListener("abort", () => {
        done.abort();
        reject(new DOMException("no longer wanted", "AbortError"));
      });
      this.expired.on(look, done.signal);
      this.me.on(look, done.signal);
      look();
    });
  }

  private hear(message: TabMessage): void {
    switch (message.type) {
      case "in":
        if (this.me.value) this.become(message.me);
        else this.offered.set(message.me);
        break;
      case "out":
        if (this.me.value) this.leave();
        break;
    }
  }

  private leave(): void {
    // Nothing is asked any more while this tab goes.
    this.me.set(null);
    location.assign(new URL("sign-in", this.root));
  }

  private tell(message: TabMessage): void {
    this.tabs.postMessage(message);
  }
}
