/** Files of tests: `1.in` goes with `1.out` or `1.ans`. Pure but for reading the files. */
import { newTest, type WorkTest } from "./work";

const INPUT = ["in"];
const ANSWER = ["out", "ans"];

/** A file by name and bytes. */
export interface NamedBytes {
  name: string;
  bytes: Uint8Array;
}

/** What files make. */
export interface Paired {
  tests: WorkTest[];
  /** Files that belong to no pair. */
  left: string[];
}

/** `1.in` as `1` and `in`; `null` for what has no ending. */
function split(name: string): { stem: string; ending: string } | null {
  const dot = name.lastIndexOf(".");
  return dot < 1 ? null : { stem: name.slice(0, dot), ending: name.slice(dot + 1).toLowerCase() };
}

const base64 = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};

/** Bytes as text, or in base64 where they are none; a mark of the order of bytes counts as bytes. */
function asText(bytes: Uint8Array): { text: string } | { bytes: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { bytes: base64(bytes) };
  }
}

function filled(test: WorkTest, input: Uint8Array, answer: Uint8Array): WorkTest {
  const { stdin_base64: _stdin, expected_base64: _expected, ...rest } = test;
  const [stdin, expected] = [asText(input), asText(answer)];
  return {
    ...rest,
    ...("text" in stdin ? { stdin: stdin.text } : { stdin: null, stdin_base64: stdin.bytes }),
    ...("text" in expected ? { expected: expected.text } : { expected: null, expected_base64: expected.bytes }),
  };
}

/** The tests that files make, in the order of their names: 2 before 10. One with the name of a known test takes its place. */
export function pairs(files: NamedBytes[], known: WorkTest[]): Paired {
  const order = new Intl.Collator("en", { numeric: true });
  const named = files.map((file) => ({ file, parts: split(file.name) }));
  const find = (stem: string, endings: string[]) =>
    named.find(({ parts }) => parts?.stem === stem && endings.includes(parts.ending))?.file;
  const stems = [...new Set(named.flatMap(({ parts }) => (parts && INPUT.includes(parts.ending) ? [parts.stem] : [])))];
  const used = new Set<NamedBytes>();
  const tests = stems.sort(order.compare).flatMap((stem) => {
    const [input, answer] = [find(stem, INPUT), find(stem, ANSWER)];
    if (!input || !answer) return [];
    used.add(input).add(answer);
    return [filled(known.find(({ name }) => name === stem) ?? newTest(stem), input.bytes, answer.bytes)];
  });
  return { tests, left: files.filter((file) => !used.has(file)).map(({ name }) => name) };
}

/** Known tests with those that files made: in the place of one of the same name, or behind the last. */
export function merged(known: WorkTest[], made: WorkTest[]): WorkTest[] {
  const by_name = new Map(made.map((test) => [test.name, test]));
  const names = new Set(known.map(({ name }) => name));
  return [...known.map((test) => by_name.get(test.name) ?? test), ...made.filter(({ name }) => !names.has(name))];
}

export async function read(files: Iterable<File>): Promise<NamedBytes[]> {
  return Promise.all([...files].map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));
}
