/** The operator's view: the queue in figures, hosts with their slots, containers below their host. */
import type { App, Opening, View } from "../../app";
import { listen } from "../../api/stream";
import { Refused } from "../../api/problem";
import type { Host, Queue } from "../../api/types";
import { h, say } from "../../dom/h";
import { isAborted, pause } from "../../state/signal";
import { t } from "../../texts";
import { HostCard } from "./host";

const RETRY_MS = 2000;

class Board {
  private readonly figures = { queued: figure(), running: figure(), slots: figure(), finished: figure(), oldest: figure() };
  private readonly blocked = h("p", { class: "fault", role: "status" });
  private readonly age = h("p", { class: "note" });
  private readonly list = h("div", { class: "hosts" });
  private readonly cards = new Map<string, HostCard>();
  private toldAt = Date.now();
  private isCut = false;
  readonly node: HTMLElement;

  constructor(
    private readonly app: App,
    private readonly signal: AbortSignal,
  ) {
    const text = t.operate;
    const one = (name: keyof typeof this.figures) => h("div", {}, h("dt", {}, text.figures[name]), this.figures[name]);
    this.node = h(
      "section",
      { class: "stack" },
      h("h1", { tabindex: -1 }, text.title),
      h("dl", { class: "figures" }, one("queued"), one("running"), one("slots"), one("finished"), one("oldest")),
      this.blocked,
      this.age,
      h("h2", {}, text.hosts),
      this.list,
    );
    void this.follow();
    void this.tellAge();
  }

  private async follow(): Promise<void> {
    const { session } = this.app;
    let lastId: string | undefined;
    while (!this.signal.aborted) {
      const { key } = session;
      try {
        await listen(session.root, "v1/hosts/events", lastId, this.signal, {
          opened: () => this.cut(false),
          told: ({ name, data, id }) => {
            lastId = id ?? lastId;
            this.told(name, data);
          },
          retryIn: () => undefined,
        });
      } catch (error) {
        if (error instanceof Refused && error.status === 401) session.expire(key);
        if (isAborted(error) && this.signal.aborted) return;
      }
      this.cut(true);
      await pause(RETRY_MS, this.signal).catch(() => undefined);
    }
  }

  private told(name: string, data: unknown): void {
    this.toldAt = Date.now();
    if (name === "hosts.snapshot") {
      const { hosts, queue } = data as { hosts: Host[]; queue: Queue };
      for (const known of [...this.cards.keys()]) if (!hosts.some((host) => host.name === known)) this.remove(known);
      hosts.forEach((host) => this.change(host));
      if (hosts.length === 0) this.list.replaceChildren(h("p", { class: "quiet" }, t.operate.noHosts));
      this.count(queue);
    } else if (name === "host.changed") this.change(data as Host);
    else if (name === "host.removed") this.remove((data as { name: string }).name);
    else if (name === "queue.changed") this.count(data as Queue);
  }

  private change(host: Host): void {
    let card = this.cards.get(host.name);
    if (!card) {
      if (this.cards.size === 0) this.list.replaceChildren();
      card = new HostCard(this.app, this.signal);
      this.cards.set(host.name, card);
      this.list.append(card.node);
    }
    card.show(host);
  }

  private remove(name: string): void {
    this.cards.get(name)?.node.remove();
    this.cards.delete(name);
  }

  private count(queue: Queue): void {
    say(this.figures.queued, t.format.number(queue.queued));
    say(this.figures.running, t.format.number(queue.running));
    say(this.figures.slots, t.operate.of(queue.slots.free, queue.slots.total));
    say(this.figures.finished, t.format.number(queue.finished_last_minute));
    say(this.figures.oldest, t.format.seconds(queue.oldest_queued_s));
    say(this.blocked, queue.blocked_by ? t.operate.blocked(queue.blocked_by) : "");
  }

  /** What is shown is of the past while the stream is cut. */
  private cut(isCut: boolean): void {
    this.isCut = isCut;
    this.node.classList.toggle("stale", isCut);
    say(this.age, isCut ? t.operate.age(Math.round((Date.now() - this.toldAt) / 1000)) : "");
  }

  private async tellAge(): Promise<void> {
    while (!this.signal.aborted) {
      await pause(1000, this.signal).catch(() => undefined);
      if (this.isCut) this.cut(true);
    }
  }
}

const figure = (): HTMLElement => h("dd", { class: "figure" }, "–");

export function openOperate(app: App, { signal }: Opening): View {
  return { title: t.operate.title, node: new Board(app, signal).node };
}
