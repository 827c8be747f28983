/** Parts of a view as tabs; the one that is open stands in the address. */
import { freshId, h, say } from "../../dom/h";

export interface Tab {
  name: string;
  label: string;
  node: HTMLElement;
}

export class Tabs {
  readonly list: HTMLElement;
  readonly panels: HTMLElement;
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(
    label: string,
    private readonly tabs: Tab[],
    private readonly opened: (name: string) => void,
  ) {
    this.list = h("div", { role: "tablist", "aria-label": label, class: "parts" });
    this.panels = h("div", { class: "panels" });
    for (const { name, label: text, node } of tabs) {
      const panel = h("div", { role: "tabpanel", id: freshId("panel"), class: "panel", hidden: true }, node);
      const button = h(
        "button",
        { type: "button", role: "tab", id: freshId("tab"), "aria-controls": panel.id, on: { click: () => this.open(name) } },
        h("span", {}, text),
        h("span", { class: "count" }),
      );
      panel.setAttribute("aria-labelledby", button.id);
      this.buttons.set(name, button);
      this.list.append(button);
      this.panels.append(panel);
    }
    this.list.addEventListener("keydown", (event) => this.move(event));
  }

  /** Opens a tab; the first if there is none of that name. */
  open(name: string | null): void {
    const chosen = this.tabs.find((tab) => tab.name === name) ?? this.tabs[0];
    if (!chosen) return;
    this.tabs.forEach((tab, index) => {
      const isOpen = tab === chosen;
      const button = this.buttons.get(tab.name);
      button?.setAttribute("aria-selected", String(isOpen));
      button?.setAttribute("tabindex", isOpen ? "0" : "-1");
      (this.panels.children[index] as HTMLElement).hidden = !isOpen;
    });
    const address = new URL(location.href);
    address.searchParams.set("tab", chosen.name);
    history.replaceState(history.state, "", address);
    this.opened(chosen.name);
  }

  /** Marks a tab with how many of its fields are wrong; nothing with an empty text. */
  mark(name: string, text: string): void {
    const count = this.buttons.get(name)?.querySelector(".count");
    if (count) say(count, text);
  }

  private move(event: KeyboardEvent): void {
    const names = this.tabs.map(({ name }) => name);
    const current = names.findIndex((name) => this.buttons.get(name) === document.activeElement);
    const last = names.length - 1;
    const to = { ArrowRight: current === last ? 0 : current + 1, ArrowLeft: current === 0 ? last : current - 1, Home: 0, End: last }[event.key];
    if (current < 0 || to === undefined) return;
    event.preventDefault();
    const name = names[to] ?? null;
    this.open(name);
    this.buttons.get(name ?? "")?.focus();
  }
}
