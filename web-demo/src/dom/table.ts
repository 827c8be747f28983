/** Tables that become cards where they are narrow. What they are is said by roles, which the change of display would take away. */
import { h, type Child } from "./h";

/** A row: its cells, in the order of the columns. */
export type Row = Child[];

/** A table below a caption that is read out. The columns' names stand at the cells where it is cards. */
export function table(caption: string, columns: string[], rows: Row[]): HTMLElement {
  const heads = columns.map((name) => h("th", { scope: "col", role: "columnheader" }, name));
  // A button says what it does.
  const label = (content: Child, index: number) => (content instanceof HTMLButtonElement ? "" : (columns[index] ?? ""));
  const cell = (content: Child, index: number) => h("td", { role: "cell", "data-label": label(content, index) }, content);
  return h(
    "div",
    { class: "scroll as-cards", tabindex: 0, role: "group", "aria-label": caption },
    h(
      "table",
      { class: "rows", role: "table" },
      h("caption", { class: "unseen" }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
      h("tbody", { role: "rowgroup" }, ...rows.map((row) => h("tr", { role: "row" }, ...row.map(cell)))),
    ),
  );
}
