/** A server-sent stream, read by `fetch`: it tells why it is refused, and goes on where this page wants. */
import { createParser } from "eventsource-parser";
import { send } from "./client";

/** One event as it came. */
export interface Told {
  name: string;
  id: string | undefined;
  data: unknown;
}

/** What the reader of a stream hears. */
export interface Listener {
  /** It is open. */
  opened(): void;
  told(event: Told): void;
  /** Something came, maybe only a sign that it is alive. */
  heard?(): void;
  /** How long to wait before coming back, in milliseconds. */
  retryIn(ms: number): void;
}

/** A stream tells something at least each 15 s; after this long without a byte it is dead. */
const SILENCE_MS = 40_000;

/**
 * Reads a stream until it ends by itself.
 *
 * Throws what `send` throws, or an `AbortError` when `signal` fired or nothing came for too long.
 */
export async function listen(
  root: URL,
  path: string,
  lastId: string | undefined,
  signal: AbortSignal,
  listener: Listener,
): Promise<void> {
  const silence = new AbortController();
  let alarm = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (lastId !== undefined) headers["Last-Event-ID"] = lastId;
    const either = AbortSignal.any([signal, silence.signal]);
    const answer = await send(root, path, { headers, signal: either });
    if (answer.status === 204 || !answer.body) return;
    listener.opened();
    const parser = createParser({
      onEvent: (event) =>
        listener.told({ name: event.event ?? "message", id: event.id, data: JSON.parse(event.data) as unknown }),
      onRetry: (ms) => listener.retryIn(ms),
    });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => silence.abort(), SILENCE_MS);
      listener.heard?.();
      parser.feed(value);
    }
  } finally {
    clearTimeout(alarm);
  }
}
