/** What a compiler said: each line leads to its place in the editor. */
import type { Compile, Diagnostic } from "../../api/types";
import { h } from "../../dom/h";
import { t } from "../../texts";

/** Shows a place in the editor, if there is one. */
export type Reveal = (file: string, line: number, column: number | null) => void;

function message(diagnostic: Diagnostic, reveal: Reveal | null): HTMLElement {
  const { file, line, column, severity, message } = diagnostic;
  const place = t.result.line(file, line);
  const canReveal = reveal !== null && file !== null && line !== null;
  return h(
    "li",
    { class: severity },
    h("strong", {}, t.result.severities[severity] ?? severity),
    " ",
    canReveal
      ? h("button", { type: "button", class: "link", on: { click: () => reveal(file, line, column) } }, place)
      : place,
    place ? ": " : "",
    h("code", {}, message),
  );
}

export function compileReport(compile: Compile, reveal: Reveal | null): HTMLElement {
  const { diagnostics, output } = compile;
  return h(
    "section",
    { class: "compile" },
    h("h3", {}, t.result.compilerSays),
    h("ul", { class: "diagnostics" }, ...diagnostics.map((diagnostic) => message(diagnostic, reveal))),
    output === ""
      ? null
      : h(
          "details",
          {},
          h("summary", {}, t.result.rawOutput),
          h("pre", { tabindex: 0, role: "group", "aria-label": t.result.rawOutput }, output),
          compile.output_truncated ? h("p", { class: "note" }, t.result.truncated) : null,
        ),
  );
}
