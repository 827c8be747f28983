/** Limits: for all languages, for single ones, of the compilation; and how submissions stand in the queue. */
import type { Runtime } from "../../api/types";
import { fill, h } from "../../dom/h";
import { tt } from "../../texts/teach";
import { choice, group, input, labelled, type Places } from "../../parts/fields";
import { type LimitName, shown, typed, type TypedLimits, type Work } from "./work";

const NAMES: LimitName[] = ["cpu_time_ms", "wall_time_ms", "memory_bytes", "output_bytes", "processes"];
/** Bytes are typed in the unit that its label names. */
const UNITS: Partial<Record<LimitName, number>> = { memory_bytes: 1 << 20, output_bytes: 1 << 10 };

export class LimitsPart implements Places {
  readonly node = h("div", { class: "stack" });
  private readonly controls = new Map<string, HTMLElement>();

  constructor(
    private work: Work,
    private readonly runtimes: Runtime[],
    private readonly changed: () => void,
  ) {
    this.show(work);
  }

  show(work: Work): void {
    this.work = work;
    this.controls.clear();
    const words = tt.limits;
    const compiled = this.allowed().some(({ compiled }) => compiled) || Object.keys(work.compile_limits).length > 0;
    fill(
      this.node,
      h("p", { class: "quiet" }, words.lead),
      group(words.all, this.fields("/limits", work.limits, null)),
      group(words.byRuntime, h("p", { class: "quiet" }, work.runtimes.length > 0 ? words.byRuntimeLead : words.noRuntimes), ...this.allowed().map((runtime) => this.byRuntime(runtime))),
      compiled ? group(words.compile, this.fields("/compile_limits", work.compile_limits, null)) : null,
      group(words.queue, this.queue()),
    );
  }

  place(pointer: string): HTMLElement | null {
    const parts = pointer.split("/");
    for (let length = parts.length; length > 1; length--) {
      const found = this.controls.get(parts.slice(0, length).join("/"));
      if (found) return found;
    }
    return [...this.controls].find(([known]) => known.startsWith(`${pointer}/`))?.[1] ?? null;
  }

  private allowed(): Runtime[] {
    return this.runtimes.filter(({ id }) => this.work.runtimes.includes(id));
  }

  private fields(pointer: string, limits: TypedLimits, runtime: Runtime | null): HTMLElement {
    const fields = NAMES.map((name) => {
      const unit = UNITS[name] ?? 1;
      const control = input(
        shown(limits[name], unit),
        (text) => {
          const value = typed(text, unit);
          if (value === null) delete limits[name];
          else limits[name] = value;
          this.take(runtime, limits);
        },
        { inputmode: unit > 1 ? "decimal" : "numeric", placeholder: this.usual(name, runtime) },
      );
      const label = tt.limits.names[name];
      if (runtime) control.setAttribute("aria-label", tt.limits.of(label, runtime.name));
      this.controls.set(`${pointer}/${name}`, control);
      return labelled(label, control);
    });
    return h("div", { class: "limits" }, ...fields);
  }

  /** What holds if nothing is named: of a language that of all, else its default. */
  private usual(name: LimitName, runtime: Runtime | null): string {
    if (!runtime) return "";
    return shown(this.work.limits[name] ?? runtime.limits.default[name], UNITS[name] ?? 1);
  }

  private take(runtime: Runtime | null, limits: TypedLimits): void {
    if (runtime) {
      const others = Object.entries(this.work.limits_by_runtime).filter(([id]) => id !== runtime.id);
      const isNamed = Object.keys(limits).length > 0;
      this.work.limits_by_runtime = Object.fromEntries(isNamed ? [...others, [runtime.id, limits]] : others);
    }
    this.changed();
  }

  private byRuntime(runtime: Runtime): HTMLElement {
    const limits = { ...this.work.limits_by_runtime[runtime.id] };
    const isNamed = Object.keys(limits).length > 0;
    const pointer = `/limits_by_runtime/${runtime.id.replaceAll("~", "~0")}`;
    return h("details", { open: isNamed }, h("summary", {}, runtime.name), this.fields(pointer, limits, runtime));
  }

  private queue(): HTMLElement {
    const words = tt.limits;
    const named = (options: Record<string, string>, value: string): [string, string][] =>
      Object.entries(value in options ? options : { ...options, [value]: value });
    const priority = choice(named(words.priorities, this.work.priority), this.work.priority, (value) => {
      this.work.priority = value as Work["priority"];
      this.changed();
    });
    const isolation = choice(named(words.isolations, this.work.isolation), this.work.isolation, (value) => {
      this.work.isolation = value as Work["isolation"];
      this.changed();
    });
    this.controls.set("/priority", priority).set("/isolation", isolation);
    return h("div", { class: "limits wide" }, labelled(words.priority, priority), labelled(words.isolation, isolation));
  }
}
