/** A value that tells of its changes. */
export class Signal<T> {
  private readonly hearers = new Set<(value: T) => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    if (Object.is(value, this.current)) return;
    this.current = value;
    for (const hearer of [...this.hearers]) hearer(value);
  }

  /** Calls `hearer` with each new value until `signal` fires. */
  on(hearer: (value: T) => void, signal?: AbortSignal): void {
    if (signal?.aborted) return;
    this.hearers.add(hearer);
    signal?.addEventListener("abort", () => this.hearers.delete(hearer), { once: true });
  }

  /** The same, and at once with what it is now. */
  show(hearer: (value: T) => void, signal?: AbortSignal): void {
    if (signal?.aborted) return;
    hearer(this.current);
    this.on(hearer, signal);
  }
}

/** Waits, but no longer than until `signal` fires, which is an `AbortError`. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("no longer wanted", "AbortError"));
    };
    if (signal?.aborted) return stop();
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Whether an error only says that the wait was given up. */
export const isAborted = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";
