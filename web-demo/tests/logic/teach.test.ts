import { expect, test } from "vitest";
import type { Exercise } from "../../src/api/types";
import { teachEn } from "../../src/texts/teach-en";
import { teachFr } from "../../src/texts/teach-fr";
import { merged, pairs } from "../../src/views/teach/pairs";
import { pasted } from "../../src/views/teach/pasted";
import { differences, emptyWork, freshName, isSame, joined, moved, newTest, shown, typed, workOf, type Work } from "../../src/views/teach/work";

const bytes = (text: string) => new TextEncoder().encode(text);
const file = (name: string, text: string) => ({ name, bytes: bytes(text) });
const work = (fields: Partial<Work>): Work => ({ ...emptyWork(), ...fields });

test("files make tests in pairs, 2 before 10, and those without a pair are told", () => {
  const files = [file("10.in", "j"), file("10.ans", "J"), file("2.in", "b"), file("2.out", "B"), file("3.in", "c"), file("notes.txt", "x")];

  const { tests, left } = pairs(files, []);

  expect(tests.map(({ name, stdin, expected }) => [name, stdin, expected])).toEqual([["2", "b", "B"], ["10", "j", "J"]]);
  expect(tests.every(({ visibility, weight }) => visibility === "hidden" && weight === 1)).toBe(true);
  expect(left).toEqual(["3.in", "notes.txt"]);
});

test("a pair with the name of a test takes its place and leaves the rest of it", () => {
  const known = [newTest("1"), { ...newTest("2"), weight: 5, visibility: "public" as const }, newTest("3")];

  const { tests } = pairs([file("2.in", "new"), file("2.out", "NEW"), file("4.in", ""), file("4.out", "")], known);

  expect(merged(known, tests).map(({ name, stdin, weight }) => [name, stdin, weight])).toEqual([["1", "", 1], ["2", "new", 5], ["3", "", 1], ["4", "", 1]]);
});

test("bytes that are no text stand in base64, and text takes their place again", () => {
  const raw = { name: "1.in", bytes: new Uint8Array([0xff, 0x00]) };

  const [first] = pairs([raw, file("1.out", "x")], []).tests;
  const [second] = pairs([file("1.in", "y"), file("1.out", "x")], first ? [first] : []).tests;

  expect(first).toMatchObject({ stdin: null, stdin_base64: "/wA=", expected: "x" });
  expect(second).toMatchObject({ stdin: "y", expected: "x" });
  expect(second).not.toHaveProperty("stdin_base64");
});

test("a mark of the order of bytes stays in a text", () => {
  const [only] = pairs([{ name: "1.in", bytes: new Uint8Array([0xef, 0xbb, 0xbf, 0x61]) }, file("1.out", "")], []).tests;

  expect(only?.stdin).toBe("\ufeffa");
});

test("two changes of different fields come together, of one field they are told", () => {
  const base = work({ title: "Sum", statement: "old" });
  const mine = work({ title: "Sum", statement: "mine", tests: [newTest("1")] });
  const theirs = work({ title: "Sums", statement: "old" });

  expect(differences(base, theirs)).toEqual(["title"]);
  expect(joined(base, mine, theirs)).toEqual({ work: { ...mine, title: "Sums" }, both: [] });
  expect(joined(base, mine, { ...theirs, statement: "theirs" })).toEqual({ work: { ...mine, title: "Sums" }, both: ["statement"] });
  expect(joined(base, mine, { ...theirs, statement: "mine" }).both).toEqual([]);
});

test("an exercise is the same in whatever order its fields stand, and what says nothing is left out", () => {
  expect(isSame({ a: 1, b: { c: null } }, { b: {}, a: 1 })).toBe(true);
  expect(isSame([1, 2], [2, 1])).toBe(false);
});

test("what the service sets itself is not put back, and what the page does not know is", () => {
  const read = { id: "sum", version: 3, updated_at: "", test_count: 0, title: "Sum", groups: [1] } as unknown as Exercise;

  expect(workOf(read)).toEqual({ title: "Sum", groups: [1] });
});

test("a number is read as it is typed, and what is none is left for the service to refuse", () => {
  expect([typed("1000"), typed(" 7 "), typed(""), typed("1e3"), typed("-1"), typed("ten")]).toEqual([1000, 7, null, "1e3", "-1", "ten"]);
  expect([typed("256", 1 << 20), typed("0.5", 1 << 20), typed("0,5", 1 << 20), typed("x", 1 << 20)]).toEqual([268_435_456, 524_288, 524_288, "x"]);
  expect([typed("1.5")]).toEqual([1.5]);
  expect([shown(268_435_456, 1 << 20), shown(524_288, 1 << 20), shown(null), shown("ten", 1 << 20), shown(0)]).toEqual(["256", "0.5", "", "ten", "0"]);
});

test("tests move one step, and a new one gets a name of its own", () => {
  expect([moved(["a", "b", "c"], 1, -1), moved(["a", "b", "c"], 2, 1), moved(["a"], 0, -1)]).toEqual([["b", "a", "c"], ["a", "b", "c"], ["a"]]);
  expect(freshName([newTest("a"), newTest("3")])).toBe("4");
});

test("both languages count as they should", () => {
  const plain = (text: string) => text.replace(/\s/g, " ");

  expect(plain(teachEn.results.fails(1, 3))).toBe("1 of 3 fail");
  expect(plain(teachFr.results.fails(2, 3))).toBe("2 échecs sur 3");
  expect(plain(teachFr.tests.count(1, 0))).toBe("1 test, 0 point");
  expect(Object.keys(teachFr.limits.names)).toEqual(Object.keys(teachEn.limits.names));
});

const told = (text: string, known = [newTest("1")]) => {
  const { tests, left } = pasted(text, known);
  return { tests: tests.map(({ name, stdin, expected }) => [name, stdin, expected]), left };
};

test("blocks parted by === and --- are tests, and what has no expected output is told", () => {
  const text = "1 2\n---\n3\n===\n\n---\nempty input\n===\nno answer\n===\na\n---\nb\n---\nc\n";

  expect(told(text)).toEqual({ tests: [["2", "1 2\n", "3\n"], ["3", "\n", "empty input\n"]], left: ["no answer", "a\n---\nb\n---\nc"] });
  expect(told("1\r\n---\r\n2")).toEqual({ tests: [["2", "1\n", "2\n"]], left: [] });
  expect(told("")).toEqual({ tests: [], left: [] });
});

test("rows of a spreadsheet are tests, with a name or without, and cells may hold lines and quotes", () => {
  const text = 'small\t1 2\t3\n"two\nlines"\t"say ""hi"""\nalone\n';

  expect(told(text)).toEqual({ tests: [["small", "1 2\n", "3\n"], ["3", "two\nlines\n", 'say "hi"\n']], left: ["alone"] });
});
