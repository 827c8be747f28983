/** Follows a submission: comes back where a connection breaks, and ends when the submission does. */
import type { Problem, StreamEvent } from "../generated/types.gen.js";

/** An event as it was sent. `data` of a type that is not in `StreamEvent` is what a later version of the service says. */
export interface Followed {
  name: string;
  id: string | undefined;
  data: StreamEvent;
}

/** The service refuses, and asking again would not help. */
export class Refused extends Error {
  constructor(readonly status: number, readonly problem: Problem | undefined) {
    super(problem ? `${problem.status} ${problem.code}: ${problem.title}` : `status ${status}`);
  }
}

export interface FollowOptions {
  baseUrl: string;
  token: string;
  /** Go on behind this event. */
  lastEventId?: string;
  signal?: AbortSignal;
}

/** The service writes at least every 15 s: after three times that the connection is dead. */
const SILENCE_MS = 45_000;
/** Attempts in a row that may fail; with the pauses between them, about four minutes. */
const ATTEMPTS = 12;
const LONGEST_PAUSE_MS = 30_000;
const ENDINGS = new Set(["submission.finished", "submission.failed", "submission.cancelled"]);

/** The events of a submission from its first, or behind `lastEventId`, to the end of its last round. */
export async function* follow(id: string, options: FollowOptions): AsyncGenerator<Followed, void, void> {
  let last = options.lastEventId;
  let pause = 2_000;
  let failures = 0;
  let ended = false;
  let broken: unknown;
  for (;;) {
    let wait = 0;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const signals = options.signal ? [options.signal, silence.signal] : [silence.signal];
      const answer = await fetch(`${options.baseUrl}/v1/submissions/${encodeURIComponent(id)}/events`, {
        headers: {
          Authorization: `Bearer ${options.token}`,
          Accept: "text/event-stream",
          ...(last === undefined ? {} : { "Last-Event-ID": last }),
        },
        signal: AbortSignal.any(signals),
      });
      if (answer.status === 204) return;
      if (answer.status !== 200 || answer.body === null) {
        wait = 1000 * Number(answer.headers.get("retry-after") ?? 0) || 0;
        await refuse(answer);
      } else {
        for await (const block of blocks(answer.body)) {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), SILENCE_MS);
          pause = block.retry ?? pause;
          if (block.data === undefined) continue;
          failures = 0;
          last = block.id ?? (block.name === "stream.reset" ? undefined : last);
          ended = block.name === "queue.position" ? ended : ENDINGS.has(block.name);
          yield { name: block.name, id: block.id, data: JSON.parse(block.data) as StreamEvent };
        }
        if (ended) return;
      }
    } catch (error) {
      if (error instanceof Refused || options.signal?.aborted || error instanceof SyntaxError) throw error;
      // Of a broken connection: the next attempt goes on where this one came to.
      broken = error;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
    if (failures >= ATTEMPTS) throw new Error(`no stream after ${ATTEMPTS} attempts`, { cause: broken });
    const longer = Math.min(pause * 2 ** failures, LONGEST_PAUSE_MS);
    failures += 1;
    // Another moment for each reader, so that they do not all come back at once.
    await sleep(Math.max(wait, longer * (0.5 + Math.random() / 2)), options.signal);
  }
}

/** Throws what asking again does not mend. */
async function refuse(answer: Response): Promise<void> {
  const text = await answer.text();
  if (answer.status === 408 || answer.status === 429 || answer.status >= 500) return;
  let problem: Problem | undefined;
  if (answer.headers.get("content-type")?.startsWith("application/problem+json")) {
    problem = JSON.parse(text) as Problem;
  }
  throw new Refused(answer.status, problem);
}

interface Block {
  name: string;
  id: string | undefined;
  data: string | undefined;
  retry: number | undefined;
}

/** What stands between two empty lines; comments alone make a block without data. */
async function* blocks(body: ReadableStream<Uint8Array>): AsyncGenerator<Block, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const parts = rest.split("\n\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield read(part);
  }
}

function read(part: string): Block {
  const block: Block = { name: "message", id: undefined, data: undefined, retry: undefined };
  for (const line of part.split("\n")) {
    const at = line.indexOf(":");
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (field === "event") block.name = value;
    else if (field === "id") block.id = value;
    else if (field === "data") block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    else if (field === "retry" && /^\d+$/.test(value)) block.retry = Number(value);
  }
  return block;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
