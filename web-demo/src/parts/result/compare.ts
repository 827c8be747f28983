/** Expected and actual output side by side, with what differs marked and white space visible. */
import { h } from "../../dom/h";
import { t } from "../../texts";
import { diff, type Piece, type Row, visible } from "./diff";

function cell(pieces: Piece[] | null, tag: "del" | "ins"): HTMLElement {
  const parts = (pieces ?? []).map(({ text, differs }) => {
    const shown = visible(text);
    return differs ? h(tag, {}, shown) : shown;
  });
  return h("td", { class: pieces === null ? "absent" : "" }, h("code", {}, ...parts));
}

function line(row: Row): HTMLElement {
  if (row.kind === "fold") return h("tr", { class: "fold" }, h("td", { colspan: 2 }, t.result.sameLines(row.count)));
  const className = row.differs ? "differs" : "";
  return h("tr", { class: className }, cell(row.expected, "del"), cell(row.actual, "ins"));
}

/** The table of a comparison. */
export function comparison(expected: string, actual: string): HTMLElement {
  const rows = diff(expected, actual);
  const differing = rows.filter((row) => row.kind === "line" && row.differs).length;
  const head = [t.result.expected, t.result.actual].map((text) => h("th", { scope: "col" }, text));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": `${t.result.expected}, ${t.result.actual}` },
    h(
      "table",
      { class: "compare" },
      h("caption", {}, differing === 0 ? t.result.same : t.result.differences(differing)),
      h("thead", {}, h("tr", {}, ...head)),
      h("tbody", {}, ...rows.map(line)),
    ),
  );
}
