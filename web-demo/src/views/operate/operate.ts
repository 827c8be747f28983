/** The operator's view: the queue in figures and plots, hosts with their slots and containers, links to original backends. */
import "../../styles/operate.css";
import type { App, Opening, View } from "../../app";
import { listen } from "../../api/stream";
import { Refused } from "../../api/problem";
import type { Host, Queue } from "../../api/types";
import { announce } from "../../dom/announce";
import { h, say } from "../../dom/h";
import { isAborted, pause } from "../../state/signal";
import { t } from "../../texts";
import { chooseOperateTexts, ot } from "../../texts/operate";
import { Figures } from "./figures";
import { HostCard } from "./host";
import { askForHost } from "./host-forms";
import { LastHour } from "./hour";
import { LinksSection } from "./links";

const RETRY_MS = 2000;

class Board {
  private readonly figures = new Figures();
  private readonly blocked = h("p", { class: "fault", role: "status" });
  private readonly age = h("p", { class: "note age" });
  private readonly hostsTitle = h("h2", { tabindex: -1 }, ot.hosts);
  private readonly none = h("p", { class: "quiet", hidden: true }, ot.noHosts);
  private readonly list = h("div", { class: "hosts" });
  private readonly cards = new Map<string, HostCard>();
  private readonly hour: LastHour;
  private readonly links: LinksSection;
  /** When something came last. */
  private toldAt = Date.now();
  private isCut = false;
  readonly node: HTMLElement;

  constructor(
    private readonly app: App,
    private readonly signal: AbortSignal,
  ) {
    this.hour = new LastHour(app, (history) => this.figures.look(history), signal);
    this.links = new LinksSection(app, signal);
    const add = h("button", { type: "button" }, ot.add.open);
    add.addEventListener("click", () => askForHost(app));
    this.node = h(
      "div",
      { class: "operate" },
      h("section", { class: "stack" }, h("h1", { tabindex: -1 }, ot.title), this.figures.node, this.blocked, this.age),
      this.hour.node,
      h("section", { class: "stack" }, h("div", { class: "section-head" }, this.hostsTitle, add), this.none, this.list),
      this.links.node,
    );
    void this.follow();
    void this.tellAge();
    void this.hour.watch();
  }

  private async follow(): Promise<void> {
    const { session } = this.app;
    let lastId: string | undefined;
    while (!this.signal.aborted) {
      const { key } = session;
      try {
        await listen(session.root, "v1/hosts/events", lastId, this.signal, {
          opened: () => {
            this.cut(false);
            void this.links.watch();
            this.hour.changed();
          },
          told: ({ name, data, id }) => {
            lastId = id ?? lastId;
            this.told(name, data);
          },
          heard: () => (this.toldAt = Date.now()),
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
    if (name === "hosts.snapshot") {
      const { hosts, queue } = data as { hosts: Host[]; queue: Queue };
      for (const known of [...this.cards.keys()]) if (!hosts.some((host) => host.name === known)) this.remove(known);
      hosts.forEach((host) => this.change(host));
      this.none.hidden = hosts.length > 0;
      this.count(queue);
    } else if (name === "host.changed") this.change(data as Host);
    else if (name === "host.removed") this.remove((data as { name: string }).name);
    else if (name === "queue.changed") this.count(data as Queue);
  }

  private change(host: Host): void {
    let card = this.cards.get(host.name);
    if (!card) {
      card = new HostCard(this.app, this.signal);
      this.cards.set(host.name, card);
      this.list.append(card.node);
      this.none.hidden = true;
    }
    card.show(host);
  }

  private remove(name: string): void {
    const card = this.cards.get(name);
    if (!card) return;
    const hadFocus = card.node.contains(document.activeElement);
    card.node.remove();
    this.cards.delete(name);
    this.none.hidden = this.cards.size > 0;
    announce(ot.removed(name));
    if (hadFocus) this.hostsTitle.focus();
  }

  private count(queue: Queue): void {
    this.figures.count(queue);
    this.hour.changed();
    say(this.blocked, queue.blocked_by ? ot.blocked(t.hindrance(queue.blocked_by)) : "");
  }

  /** What is shown is of the past while the stream is cut. */
  private cut(isCut: boolean): void {
    this.isCut = isCut;
    this.node.classList.toggle("stale", isCut);
    say(this.age, isCut ? ot.age(Math.round((Date.now() - this.toldAt) / 1000)) : "");
  }

  private async tellAge(): Promise<void> {
    while (!this.signal.aborted) {
      await pause(1000, this.signal).catch(() => undefined);
      if (this.isCut) this.cut(true);
    }
  }
}

export async function openOperate(app: App, { signal }: Opening): Promise<View> {
  await chooseOperateTexts();
  return { title: ot.title, node: new Board(app, signal).node };
}
