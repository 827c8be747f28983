/** A Docker host: how it does, its slots as cells, what one may do with it, its containers. */
import type { App } from "../../app";
import { Refused } from "../../api/problem";
import type { Host } from "../../api/types";
import { announce } from "../../dom/announce";
import { confirmed } from "../../dom/dialog";
import { fill, freshId, h, say } from "../../dom/h";
import { icon, type IconName } from "../../dom/icons";
import { t } from "../../texts";
import { ot } from "../../texts/operate";
import { Containers } from "./containers";
import { askForSlots } from "./host-forms";

/** More cells than this say nothing that the figure does not. */
const MOST_CELLS = 64;

const MODES = ["active", "cordoned", "draining"] as const;
const MARKS: Record<string, [string, IconName]> = { healthy: ["good", "good"], connecting: ["waiting", "waiting"], suspect: ["waiting", "waiting"] };

export class HostCard {
  private readonly id = freshId("host");
  private readonly name = h("h3", { id: this.id });
  private readonly state = h("p", { class: "mark" });
  private readonly lines = h("p", {});
  private readonly where = h("p", { class: "quiet" });
  private readonly slots = h("p", { class: "slots" });
  private readonly engine = h("p", { class: "note" });
  private readonly runtimes = h("ul", { class: "plain-list runtimes" });
  private readonly warnings = h("ul", { class: "plain-list" });
  private readonly fault = h("p", { class: "fault", role: "alert" });
  private readonly actions = h("p", { class: "actions" });
  private readonly kept = h("p", { class: "note" }, ot.configured);
  private readonly remove = h("button", { type: "button" }, ot.remove);
  private readonly containers: Containers;
  readonly node: HTMLElement;
  private host: Host | null = null;

  constructor(
    private readonly app: App,
    signal: AbortSignal,
  ) {
    for (const mode of MODES) {
      const button = h("button", { type: "button", "data-mode": mode }, ot.actions[mode]);
      button.addEventListener("click", () => void this.set(mode));
      this.actions.append(button);
    }
    const slots = h("button", { type: "button" }, ot.changeSlots);
    slots.addEventListener("click", () => this.host && askForSlots(app, this.host, (host) => this.show(host)));
    this.remove.addEventListener("click", () => void this.askToRemove());
    this.actions.append(slots, this.remove);
    for (const button of this.actions.querySelectorAll("button")) button.setAttribute("aria-describedby", this.id);
    this.containers = new Containers(app, () => this.host?.name ?? "", (act) => this.attempt(act), signal);
    this.node = h(
      "article",
      { class: "host stack", "aria-labelledby": this.id },
      h("div", { class: "host-head" }, this.name, this.state),
      this.where,
      this.lines,
      this.slots,
      this.engine,
      this.runtimes,
      this.warnings,
      this.fault,
      this.actions,
      this.kept,
      this.containers.node,
    );
  }

  show(host: Host): void {
    this.host = host;
    say(this.name, host.name);
    this.showState(host);
    say(this.where, [host.url, host.certs === null ? "" : ot.certs(host.certs)].filter((part) => part !== "").join(" · "));
    const { busy, total } = host.slots;
    const cells = Array.from({ length: Math.min(total, MOST_CELLS) }, (_, index) => h("span", { class: index < busy ? "slot busy" : "slot", "aria-hidden": "true" }));
    fill(this.slots, ...cells, h("span", {}, total === 0 ? ot.noSlots : ot.slots(busy, total)));
    say(this.engine, host.engine ? ot.engine(host.engine.version, host.engine.runc_version) : "");
    fill(this.runtimes, ...host.runtimes.filter(({ image }) => image !== "missing").map((runtime) => h("li", {}, runtimeLine(runtime))));
    fill(this.warnings, ...warningsOf(host).map((line) => h("li", { class: "warning" }, icon("warning"), h("span", {}, line))));
    for (const button of this.actions.querySelectorAll<HTMLButtonElement>("[data-mode]")) button.disabled = button.dataset.mode === host.mode;
    const isConfigured = host.source === "config";
    [this.remove.hidden, this.kept.hidden] = [isConfigured, !isConfigured];
  }

  private showState(host: Host): void {
    const word = ot.hostStates[host.state] ?? host.state;
    const [kind, name] = MARKS[host.state] ?? ["bad", "bad"];
    if (this.state.textContent !== word) {
      this.state.className = `mark ${kind}`;
      fill(this.state, icon(name), word);
    }
    this.node.classList.toggle("unwell", kind === "bad");
    const running = Math.max(host.submissions.running, host.slots.busy);
    const left = host.drained ? ot.drained : host.mode === "active" || running === 0 ? "" : ot.waitsFor(running);
    const next = host.next_attempt_at === null ? "" : ot.nextAttempt(Date.parse(host.next_attempt_at));
    const parts = [ot.modes[host.mode] ?? host.mode, left, ot.since(t.format.moment(host.since)), next];
    say(this.lines, parts.filter((part) => part !== "").join(" · "));
  }

  private async set(mode: (typeof MODES)[number]): Promise<void> {
    const { host } = this;
    if (!host) return;
    if (mode === "draining" && !(await confirmed(ot.drainSure(host.name, host.submissions.running)))) return;
    await this.attempt(async () => this.show(await this.app.session.api.changeHost(host.name, { mode })));
  }

  /** Asks once. What began in between is asked about when the service says that something runs. */
  private async askToRemove(): Promise<void> {
    const { host } = this;
    if (!host) return;
    const { name, submissions } = host;
    const { running } = submissions;
    if (!(await confirmed(running === 0 ? ot.removeSure(name) : ot.removeBusy(name, running)))) return;
    await this.attempt(async () => {
      try {
        await this.removeIt(name, running > 0);
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "host_busy") throw error;
        if (await confirmed(ot.removeBusy(name, this.host?.submissions.running ?? 0))) await this.removeIt(name, true);
      }
    });
  }

  private async removeIt(name: string, force: boolean): Promise<void> {
    announce(ot.removing(name));
    try {
      await this.app.session.api.removeHost(name, force);
    } catch (error) {
      // It is gone: a request whose answer was lost went again, or another operator was faster.
      if (!(error instanceof Refused) || error.status !== 404) throw error;
    }
  }

  /** Does something, and says it where it is refused. */
  private async attempt(act: () => Promise<void>): Promise<void> {
    say(this.fault, "");
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(this.fault, error.message);
    }
  }
}

/** A runtime's containers there, or what its image lacks; those without an image are told together. */
function runtimeLine({ id, image, progress, warm, busy, error }: Host["runtimes"][number]): string {
  if (image === "copying") return [ot.image(id, ot.images.copying), progress === null ? "" : ot.percent(progress)].join(" ").trim();
  return [ot.warm(id, warm, busy), image === "failed" ? ot.images.failed : "", error ?? ""].filter((part) => part !== "").join(" · ");
}

/** What an operator should look at, a line each. */
function warningsOf(host: Host): string[] {
  const missing = host.runtimes.filter(({ image }) => image === "missing").map(({ id }) => id);
  return [
    ...host.warnings.filter(({ code }) => code !== "missing_image").map(({ message }) => message),
    ...(missing.length > 0 ? [ot.missingImages(missing)] : []),
    ...(host.last_error ? [`${ot.lastError}: ${host.last_error.message} (${t.format.moment(host.last_error.at)})`] : []),
  ];
}
