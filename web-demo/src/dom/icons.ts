/** Icons, drawn inline: each stands beside a word, so none is read out. */

const PATHS = {
  good: "M4 10.5 8.2 15 16 5.5",
  bad: "M5 5l10 10M15 5 5 15",
  waiting: "M10 2.5a7.5 7.5 0 1 0 .01 0zM10 6v4.2l2.8 1.6",
  stopped: "M6 6h8v8H6z",
  fold: "M7 5l5 5-5 5",
  warning: "M10 3 2.5 16.5h15zM10 8.5v3.5M10 14.2v.1",
} as const;

export type IconName = keyof typeof PATHS;

const NS = "http://www.w3.org/2000/svg";

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(NS, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
