/** A Docker host: how it does, its slots as cells, what one may do with it, its containers. */
import type { App } from "../../app";
import type { Container, Host } from "../../api/types";
import { announce } from "../../dom/announce";
import { confirmed } from "../../dom/dialog";
import { fill, h, say } from "../../dom/h";
import { Refused } from "../../api/problem";
import { isAborted, pause } from "../../state/signal";
import { t } from "../../texts";

/** How often shown containers are read. */
const LOOK_MS = 2000;

const MODES = { activate: "active", cordon: "cordoned", drain: "draining" } as const;

export class HostCard {
  private readonly name = h("h3", {});
  private readonly state = h("p", {});
  private readonly slots = h("p", { class: "slots" });
  private readonly facts = h("ul", { class: "plain-list" });
  private readonly actions = h("p", { class: "actions" });
  private readonly table = h("div", { class: "stack" });
  private readonly containers = h("details", {}, h("summary", {}, t.operate.containers), this.table);
  readonly node = h("article", { class: "host stack" }, this.name, this.state, this.slots, this.facts, this.actions, this.containers);
  private host: Host | null = null;
  /** The containers that the table shows, as they came. */
  private shown = "";

  constructor(
    private readonly app: App,
    private readonly signal: AbortSignal,
  ) {
    this.containers.addEventListener("toggle", () => void this.watchContainers());
    for (const action of Object.keys(MODES) as (keyof typeof MODES)[]) {
      const button = h("button", { type: "button", "data-mode": MODES[action] }, t.operate.actions[action]);
      button.addEventListener("click", () => void this.set(MODES[action]));
      this.actions.append(button);
    }
  }

  show(host: Host): void {
    this.host = host;
    const { operate, format } = t;
    say(this.name, host.name);
    const parts = [operate.hostStates[host.state] ?? host.state, operate.since(format.moment(host.since)), operate.modes[host.mode] ?? host.mode, host.drained ? operate.drained : ""];
    say(this.state, parts.filter((part) => part !== "").join(" · "));
    this.node.classList.toggle("unwell", host.state !== "healthy");
    const cells = Array.from({ length: host.slots.total }, (_, index) => h("span", { class: index < host.slots.busy ? "slot busy" : "slot", "aria-hidden": "true" }));
    fill(this.slots, ...cells, h("span", {}, operate.slots(host.slots.busy, host.slots.total)));
    const lines = [
      host.engine ? operate.engine(host.engine.version, host.engine.runc_version) : "",
      ...host.runtimes.map(({ id, warm, busy }) => operate.warm(id, warm, busy)),
      ...host.warnings.map(({ message }) => message),
      host.last_error ? `${operate.lastError}: ${host.last_error.message} (${format.moment(host.last_error.at)})` : "",
    ];
    fill(this.facts, ...lines.filter((line) => line !== "").map((line) => h("li", {}, line)));
    for (const button of this.actions.querySelectorAll("button")) button.disabled = button.dataset.mode === host.mode;
  }

  private async set(mode: string): Promise<void> {
    const { host } = this;
    if (!host) return;
    if (mode === "draining" && !(await confirmed(t.operate.drainSure(host.name, host.submissions.running)))) return;
    await this.attempt(async () => this.show(await this.app.session.api.setHostMode(host.name, mode)));
  }

  /** Reads the containers again and again while they are shown: no event tells what one of them does. */
  private async watchContainers(): Promise<void> {
    while (this.containers.open && !this.signal.aborted && this.host) {
      try {
        this.showContainers(await this.app.session.api.containers(this.host.name, this.signal));
        await pause(LOOK_MS, this.signal);
      } catch (error) {
        if (!isAborted(error)) throw error;
      }
    }
  }

  private showContainers(containers: Container[]): void {
    const { host } = this;
    const shown = JSON.stringify(containers);
    if (!host || shown === this.shown) return;
    this.shown = shown;
    const focused = this.table.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    if (containers.length === 0) return fill(this.table, h("p", { class: "quiet" }, t.operate.noContainers));
    const { columns } = t.operate;
    const names = [columns.id, columns.runtime, columns.state, columns.submission, columns.served, t.operate.kill];
    fill(
      this.table,
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "group", "aria-label": t.operate.caption(host.name) },
        h("table", { class: "rows" }, h("caption", { class: "unseen" }, t.operate.caption(host.name)), h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...containers.map((container) => this.row(container)))),
      ),
    );
    for (const button of this.table.querySelectorAll("button")) if (focused && button.getAttribute("aria-label") === focused) button.focus();
  }

  private row(container: Container): HTMLElement {
    const { id, runtime, state, submission_id, submissions } = container;
    const kill = h("button", { type: "button", "aria-label": `${t.operate.kill} ${id.slice(0, 12)}` }, t.operate.kill);
    kill.addEventListener("click", () => void this.kill(id));
    return h(
      "tr",
      {},
      h("td", {}, h("code", {}, id.slice(0, 12))),
      h("td", {}, runtime),
      h("td", {}, t.operate.containerStates[state] ?? state),
      h("td", {}, submission_id ? h("a", { href: this.app.address(`submissions/${submission_id}`) }, submission_id.slice(-12)) : "–"),
      h("td", { class: "figure" }, t.format.number(submissions)),
      h("td", {}, kill),
    );
  }

  private async kill(id: string): Promise<void> {
    if (!(await confirmed(t.operate.killSure))) return;
    await this.attempt(async () => void (await this.app.session.api.killContainer(id)));
  }

  /** Does something, and says it where it is refused. */
  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      announce(error.message);
      this.facts.append(h("li", { class: "fault" }, error.message));
    }
  }
}
