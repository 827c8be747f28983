/** The links to original backends. No event tells of them: they are read again while there are some, and when the stream opens anew. */
import type { App } from "../../app";
import type { Link } from "../../api/types";
import { fill, h } from "../../dom/h";
import { table, type Row } from "../../dom/table";
import { visible } from "../../dom/visible";
import { isAborted, pause } from "../../state/signal";
import { t } from "../../texts";
import { ot } from "../../texts/operate";

/** How often links are read. */
const LOOK_MS = 5000;

export class LinksSection {
  private readonly body = h("div", { class: "stack" });
  readonly node = h("section", { class: "stack links" }, h("h2", {}, ot.links.title), this.body);
  private shown = "";
  private isRead = false;

  constructor(
    private readonly app: App,
    private readonly signal: AbortSignal,
  ) {}

  /** Reads them from now on: once if there are none, since only a restart brings some. */
  async watch(): Promise<void> {
    if (this.isRead) return;
    this.isRead = true;
    try {
      while (this.show(await this.app.session.api.links(this.signal)) > 0) {
        await pause(LOOK_MS, this.signal);
        await visible(this.signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      this.isRead = false;
    }
  }

  private show(links: Link[]): number {
    const shown = JSON.stringify(links);
    if (shown === this.shown) return links.length;
    this.shown = shown;
    const { columns } = ot.links;
    const names = [columns.name, columns.address, columns.state, columns.encoding, columns.exercises, columns.lastError];
    if (links.length === 0) fill(this.body, h("p", { class: "quiet" }, ot.links.none));
    else fill(this.body, table(ot.links.title, names, links.map(row)));
    return links.length;
  }
}

function row({ name, host, tcp_port, state, encoding, since, exercises, last_error }: Link): Row {
  const words = ot.links;
  return [
    name,
    h("code", {}, `${host}:${tcp_port}`),
    h("span", {}, words.states[state] ?? state, h("span", { class: "note" }, ` ${ot.since(t.format.moment(since))}`)),
    encoding === null ? words.unknown : (words.encodings[encoding] ?? encoding),
    h("span", { class: "figure" }, t.format.number(exercises.enqueued)),
    last_error ? words.error(last_error.message, t.format.moment(last_error.at)) : words.noError,
  ];
}
