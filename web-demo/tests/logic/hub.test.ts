import { expect, test } from "vitest";
import { Refused } from "../../src/api/problem";
import type { Listener } from "../../src/api/stream";
import type { Problem, Submission } from "../../src/api/types";
import { Hub, type Listen, type Tab } from "../../src/hub/hub";
import type { FromHub } from "../../src/hub/protocol";

/** A stream that the hub holds open; the test plays the service. */
interface Open {
  path: string;
  lastId: string | undefined;
  listener: Listener;
  end: (error?: Error) => void;
}

class Service {
  readonly opened: Open[] = [];
  private hearers: (() => void)[] = [];

  readonly listen: Listen = (_root, path, lastId, signal, listener) =>
    new Promise((resolve, reject) => {
      const end = (error?: Error) => (error ? reject(error) : resolve());
      signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      this.opened.push({ path, lastId, listener, end });
      this.hearers.splice(0).forEach((hear) => hear());
      listener.retryIn(1);
    });

  /** The stream of that number, once it is open. */
  async stream(number: number): Promise<Open> {
    for (;;) {
      const open = this.opened[number];
      if (open) return open;
      await new Promise<void>((resolve) => this.hearers.push(resolve));
    }
  }
}

function tab(): Tab & { heard: FromHub[] } {
  const heard: FromHub[] = [];
  return { heard, post: (message) => heard.push(message) };
}

const session = (key: string) => ({ type: "session" as const, root: "http://guichet.test/", key });
const submission = (fields: Partial<Submission>) =>
  ({ id: "s1", state: "running", round: 1, attempt: 1, position: null, eta: null, result: null, ...fields }) as Submission;
const finishedTest = (index: number) => ({
  name: "submission.test_finished",
  id: `e${index}`,
  data: { submission_id: "s1", round: 1, attempt: 1, of: 3, test: { index } },
});
const snapshot = (...items: Submission[]) => ({ name: "stream.snapshot", id: "e0", data: { items } });

test("all tabs share one stream", async () => {
  const service = new Service();
  const hub = new Hub(service.listen);
  const [first, second] = [tab(), tab()];
  hub.hear(first, session("a"));
  hub.hear(second, session("a"));
  const { listener } = await service.stream(0);

  listener.opened();
  listener.told(finishedTest(1));

  expect(service.opened).toHaveLength(1);
  for (const { heard } of [first, second]) {
    expect(heard.at(-1)).toMatchObject({ type: "event", event: { name: "submission.test_finished" } });
  }
});

test("after a break it goes on behind the last id", async () => {
  const service = new Service();
  const hub = new Hub(service.listen);
  const one = tab();
  hub.hear(one, session("a"));
  const before = await service.stream(0);
  before.listener.opened();
  before.listener.told(finishedTest(1));
  before.end();

  const again = await service.stream(1);

  expect(again.lastId).toBe("e1");
  expect(one.heard).toContainEqual({ type: "connection", connection: "lost" });
});

test("a tab that comes late is told the story so far", async () => {
  const service = new Service();
  const hub = new Hub(service.listen);
  hub.hear(tab(), session("a"));
  const { listener } = await service.stream(0);
  listener.opened();
  listener.told(snapshot());
  listener.told({ name: "submission.started", id: "e1", data: { submission_id: "s1", round: 1, attempt: 1 } });
  listener.told(finishedTest(1));
  const late = tab();

  hub.hear(late, session("a"));
  hub.hear(late, { type: "follow", id: "s1", own: true });

  const story = late.heard.find((message) => message.type === "story");
  expect(story).toMatchObject({ story: { state: "running", tests: [{ index: 1 }] } });
  expect(service.opened).toHaveLength(1);
});

test("of one that ran before the hub did, the log is read from its start, over two connections at most", async () => {
  const service = new Service();
  const hub = new Hub(service.listen);
  const one = tab();
  hub.hear(one, session("a"));
  const main = await service.stream(0);
  main.listener.opened();
  main.listener.told(snapshot(...["s1", "s2", "s3"].map((id) => submission({ id }))));

  for (const id of ["s1", "s2", "s3"]) hub.hear(one, { type: "follow", id, own: true });

  await service.stream(2);
  expect(service.opened.map(({ path }) => path)).toEqual(["v1/events", "v1/submissions/s1/events", "v1/submissions/s2/events"]);
});

test("a session that is over is told once, and the next one opens the stream again", async () => {
  const service = new Service();
  const hub = new Hub(service.listen);
  const one = tab();
  hub.hear(one, session("a"));
  const problem = { status: 401, code: "session_expired", detail: "", errors: [] } as unknown as Problem;
  (await service.stream(0)).end(new Refused(problem, null));
  while (!one.heard.some(({ type }) => type === "unauthorized")) await Promise.resolve();
  expect(one.heard.filter(({ type }) => type === "unauthorized")).toEqual([{ type: "unauthorized", key: "a" }]);

  hub.hear(one, session("b"));

  expect((await service.stream(1)).path).toBe("v1/events");
});

test("with the last tab the stream ends", async () => {
  const service = new Service();
  const hub = new Hub(service.listen);
  const one = tab();
  hub.hear(one, session("a"));
  const { listener } = await service.stream(0);
  listener.opened();

  hub.hear(one, { type: "bye" });
  await Promise.resolve();

  expect(service.opened).toHaveLength(1);
});
