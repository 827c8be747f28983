import { expect, test } from "vitest";
import { diff, type Row, visible } from "../../src/parts/result/diff";

/** A row as text: what differs stands in brackets. */
function shown(row: Row): string {
  if (row.kind === "fold") return `… ${row.count}`;
  const side = (pieces: Row & { kind: "line" }, which: "expected" | "actual") =>
    (pieces[which] ?? [{ text: "–", differs: false }]).map(({ text, differs }) => (differs ? `[${text}]` : text)).join("");
  return `${side(row, "expected")}|${side(row, "actual")}`.replaceAll("\n", "⏎");
}

test("equal outputs have no difference", () => {
  expect(diff("1\n2\n", "1\n2\n").map(shown)).toEqual(["1⏎|1⏎", "2⏎|2⏎"]);
});

test("what differs within a line is marked, and no more", () => {
  expect(diff("sum: 3 ok\n", "sum: 12 ok\n").map(shown)).toEqual(["sum: [3] ok⏎|sum: [12] ok⏎"]);
});

test("a line that is missing does not shift the others", () => {
  expect(diff("a\nb\nc\n", "a\nc\n").map(shown)).toEqual(["a⏎|a⏎", "[b⏎]|–", "c⏎|c⏎"]);
});

test("a line too many does not shift the others", () => {
  expect(diff("a\nc\n", "a\nb\nc\n").map(shown)).toEqual(["a⏎|a⏎", "–|[b⏎]", "c⏎|c⏎"]);
});

test("a missing end of line is a difference", () => {
  expect(diff("3\n", "3").map(shown)).toEqual(["3[⏎]|3"]);
});

test("nothing at all is a difference", () => {
  expect(diff("3\n", "").map(shown)).toEqual(["[3⏎]|–"]);
});

test("equal lines far from a difference are folded", () => {
  const many = Array.from({ length: 20 }, (_, index) => `${index}\n`).join("");

  expect(diff(`${many}x\n`, `${many}y\n`).map(shown)).toEqual(["… 17", "17⏎|17⏎", "18⏎|18⏎", "19⏎|19⏎", "[x]⏎|[y]⏎"]);
});

test("signs of more than one unit stay whole", () => {
  expect(diff("a😀\n", "a😁\n").map(shown)).toEqual(["a[😀]⏎|a[😁]⏎"]);
});

test("outputs of thousands of lines are compared in no time", () => {
  const left = Array.from({ length: 4000 }, (_, index) => `${index % 7}\n`).join("");
  const right = Array.from({ length: 4000 }, (_, index) => `${index % 5}\n`).join("");

  expect(diff(left, right).length).toBeGreaterThan(1000);
});

test("white space and control characters are seen", () => {
  expect(visible("a b\tc\n\u0000\u001b[31m\u007f")).toBe("a·b→c⏎␀␛[31m␡");
});
