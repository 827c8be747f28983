/** The containers of a host below it, read while they are shown. */
import type { App } from "../../app";
import type { Container } from "../../api/types";
import { confirmed } from "../../dom/dialog";
import { fill, h } from "../../dom/h";
import { table, type Row } from "../../dom/table";
import { visible } from "../../dom/visible";
import { isAborted, pause } from "../../state/signal";
import { t } from "../../texts";
import { ot } from "../../texts/operate";

/** How often they are read: no event tells what one of them does. */
const LOOK_MS = 2000;

export class Containers {
  private readonly body = h("div", { class: "stack" });
  readonly node = h("details", {}, h("summary", {}, ot.containers), this.body);
  /** What is shown, as it came. */
  private shown = "";
  private isRead = false;

  /** `attempt` does something and says where it is refused. */
  constructor(
    private readonly app: App,
    private readonly host: () => string,
    private readonly attempt: (act: () => Promise<void>) => Promise<void>,
    private readonly signal: AbortSignal,
  ) {
    this.node.addEventListener("toggle", () => void this.watch());
  }

  private async watch(): Promise<void> {
    if (this.isRead) return;
    this.isRead = true;
    try {
      while (this.node.open && this.node.isConnected && !this.signal.aborted) {
        this.show(await this.app.session.api.containers(this.host(), this.signal));
        await pause(LOOK_MS, this.signal);
        await visible(this.signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      this.isRead = false;
    }
  }

  private show(containers: Container[]): void {
    const shown = JSON.stringify(containers);
    if (shown === this.shown) return;
    this.shown = shown;
    if (containers.length === 0) return fill(this.body, h("p", { class: "quiet" }, ot.noContainers));
    const focused = this.body.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    const { columns } = ot;
    const names = [columns.id, columns.runtime, columns.state, columns.submission, columns.served, ot.kill];
    fill(this.body, table(ot.caption(this.host()), names, containers.map((container) => this.row(container))));
    for (const element of this.body.querySelectorAll<HTMLElement>("[aria-label]")) if (focused && element.getAttribute("aria-label") === focused) element.focus();
  }

  private row({ id, runtime, state, submission_id, submissions }: Container): Row {
    const kill = h("button", { type: "button", "aria-label": `${ot.kill} ${id.slice(0, 12)}` }, ot.kill);
    kill.addEventListener("click", () => void this.kill(id));
    return [
      h("code", {}, id.slice(0, 12)),
      runtime,
      ot.containerStates[state] ?? state,
      submission_id ? h("a", { href: this.app.address(`submissions/${submission_id}`) }, submission_id.slice(-12)) : "–",
      h("span", { class: "figure" }, t.format.number(submissions)),
      kill,
    ];
  }

  private async kill(id: string): Promise<void> {
    if (!(await confirmed(ot.killSure))) return;
    await this.attempt(async () => void (await this.app.session.api.killContainer(id)));
  }
}
