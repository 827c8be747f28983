/** The API's operations that the page uses. Who asks is the session's concern, which passes `send`. */
import { refusal, Unreachable } from "./problem";
import type {
  Container,
  Exercise,
  ExerciseResults,
  Host,
  HostRequest,
  Link,
  Me,
  Page,
  Queue,
  QueueHistory,
  Runtime,
  Submission,
  SubmissionRequest,
} from "./types";

/** What a request is made of, without who sends it. */
export interface Outgoing {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Sends a request, with the browser's session, and answers what is not refused. */
export async function send(root: URL, path: string, outgoing: Outgoing = {}): Promise<Response> {
  // The service takes changes by cookie only from what can set this header: pages of its own.
  const headers = new Headers({ ...outgoing.headers, "X-Guichet-Page": "1" });
  const request: RequestInit = { method: outgoing.method ?? "GET", headers, cache: "no-store", credentials: "same-origin" };
  if (outgoing.body !== undefined) {
    headers.set("Content-Type", "application/json");
    request.body = JSON.stringify(outgoing.body);
  }
  if (outgoing.signal) request.signal = outgoing.signal;
  let answer: Response;
  try {
    answer = await fetch(new URL(path, root), request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable(String(error));
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/** How requests leave: with the session, again where nothing answered. */
export type Sender = (path: string, outgoing?: Outgoing) => Promise<Response>;

/** What a list of submissions may be narrowed to. */
export interface SubmissionFilter {
  exercise_id?: string;
  state?: string;
  verdict?: string;
  owner?: string;
  created_after?: string;
  created_before?: string;
  limit?: number;
  cursor?: string;
}

const query = (fields: object): string => {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
};

/** The operations over a sender. Paths have no leading slash: they are below the page's own root. */
export function client(sender: Sender) {
  const read = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
    (await (await sender(path, { signal })).json()) as T;
  const act = async <T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> => {
    const answer = await sender(path, body === undefined ? { method, signal } : { method, body, signal });
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  };
  const tagged = async (answer: Response) => ({ exercise: (await answer.json()) as Exercise, tag: answer.headers.get("etag") ?? "" });
  const one = encodeURIComponent;
  return {
    me: (signal?: AbortSignal) => read<Me>("v1/me", signal),
    queue: (signal?: AbortSignal) => read<Queue>("v1/queue", signal),
    queueHistory: (signal?: AbortSignal) => read<QueueHistory>("v1/queue/history", signal),
    links: async (signal?: AbortSignal) => (await read<Page<Link>>("v1/links", signal)).items,
    runtimes: async (signal?: AbortSignal) => (await read<Page<Runtime>>("v1/runtimes", signal)).items,
    exercises: (cursor?: string, signal?: AbortSignal) =>
      read<Page<Exercise>>(`v1/exercises${query({ limit: 100, cursor })}`, signal),
    exercise: (id: string, signal?: AbortSignal) => read<Exercise>(`v1/exercises/${one(id)}`, signal),
    exerciseWithTag: async (id: string, signal?: AbortSignal) => tagged(await sender(`v1/exercises/${one(id)}`, { signal })),
    /** Stores an exercise in place of the version with that tag; `null`: only if none is stored. */
    async putExercise(id: string, body: unknown, tag: string | null) {
      const headers: Record<string, string> = tag === null ? { "If-None-Match": "*" } : { "If-Match": tag };
      return tagged(await sender(`v1/exercises/${one(id)}`, { method: "PUT", body, headers }));
    },
    results: (id: string, cursor?: string, signal?: AbortSignal) =>
      read<ExerciseResults>(`v1/exercises/${one(id)}/results${query({ cursor })}`, signal),
    async resultsTable(id: string, signal?: AbortSignal): Promise<string> {
      const answer = await sender(`v1/exercises/${one(id)}/results`, { headers: { Accept: "text/csv" }, signal });
      return answer.text();
    },
    submissions: (filter: SubmissionFilter, signal?: AbortSignal) =>
      read<Page<Submission>>(`v1/submissions${query(filter)}`, signal),
    submission: (id: string, signal?: AbortSignal) => read<Submission>(`v1/submissions/${one(id)}`, signal),
    async submit(body: SubmissionRequest, key: string, signal?: AbortSignal): Promise<Submission> {
      const headers = { "Idempotency-Key": key };
      const answer = await sender("v1/submissions", { method: "POST", body, headers, signal });
      return (await answer.json()) as Submission;
    },
    cancel: (id: string) => act<Submission>("POST", `v1/submissions/${one(id)}/cancel`),
    async file(id: string, path: string, signal?: AbortSignal): Promise<Uint8Array> {
      const way = path.split("/").map(one).join("/");
      const answer = await sender(`v1/submissions/${one(id)}/files/${way}`, { signal });
      return new Uint8Array(await answer.arrayBuffer());
    },
    hosts: async (signal?: AbortSignal) => (await read<Page<Host>>("v1/hosts", signal)).items,
    addHost: (host: HostRequest, signal?: AbortSignal) => act<Host>("POST", "v1/hosts", host, signal),
    changeHost: (name: string, change: { mode?: string; slots?: number | null }, signal?: AbortSignal) =>
      act<Host>("PATCH", `v1/hosts/${one(name)}`, change, signal),
    /** Removes a host; by force also while something runs there, which is queued again. */
    removeHost: (name: string, force: boolean) => act<undefined>("DELETE", `v1/hosts/${one(name)}${query({ force: force || undefined })}`),
    containers: async (host: string, signal?: AbortSignal) =>
      (await read<Page<Container>>(`v1/containers${query({ host, limit: 100 })}`, signal)).items,
    killContainer: (id: string) => act<unknown>("DELETE", `v1/containers/${one(id)}`),
  };
}
