/** What can go wrong with a request: a problem that the service tells, or no answer at all. */
import type { Problem } from "./types";

/** The service refused; `problem` says why. */
export class Refused extends Error {
  constructor(
    readonly problem: Problem,
    /** Seconds to wait before it makes sense to ask again. */
    readonly retryAfterS: number | null,
  ) {
    super(problem.detail);
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }
}

/** There was no answer: the connection broke, or what answered was not the service. */
export class Unreachable extends Error {}

/** The problem in an answer that is none of success. */
export async function refusal(answer: Response): Promise<Refused | Unreachable> {
  const kind = answer.headers.get("content-type") ?? "";
  if (!kind.startsWith("application/problem+json")) {
    return new Unreachable(`status ${answer.status}`);
  }
  const after = Number(answer.headers.get("retry-after") ?? "");
  return new Refused((await answer.json()) as Problem, after > 0 ? after : null);
}
