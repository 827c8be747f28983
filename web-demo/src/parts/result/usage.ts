/** Usage against limits, as bars with figures. */
import type { Limits, Usage } from "../../api/types";
import { h } from "../../dom/h";
import { t } from "../../texts";

function bar(name: string, used: number, allowed: number | null, write: (value: number) => string): HTMLElement[] {
  const figures = allowed === null ? write(used) : t.result.usageOf(write(used), write(allowed));
  const share = allowed === null ? 0 : Math.min(used / allowed, 1);
  const fill = h("span", { class: share >= 0.9 ? "fill high" : "fill" });
  fill.style.inlineSize = `${Math.max(share * 100, used > 0 && allowed !== null ? 1 : 0)}%`;
  return [
    h("dt", {}, name),
    h("dd", {}, h("span", { class: "bar", "aria-hidden": "true" }, fill), h("span", { class: "figure" }, figures)),
  ];
}

/** `limits` are null where they are not known. */
export function usageBars(usage: Usage, limits: Limits | null): HTMLElement {
  const { format, result } = t;
  return h(
    "dl",
    { class: "usage", "aria-label": result.usage },
    ...bar(result.usages.cpu, usage.cpu_time_ms, limits?.cpu_time_ms ?? null, format.milliseconds),
    ...bar(result.usages.wall, usage.wall_time_ms, limits?.wall_time_ms ?? null, format.milliseconds),
    ...bar(result.usages.memory, usage.memory_bytes, limits?.memory_bytes ?? null, format.bytes),
  );
}
