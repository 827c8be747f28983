/** Tests out of a pasted text: rows of a spreadsheet, or blocks told apart by lines of `===` and `---`. Pure. */
import { freshName, newTest, type WorkTest } from "./work";

/** What a text makes. */
export interface Pasted {
  tests: WorkTest[];
  /** Pieces that are no test: in a spreadsheet rows of one cell, else blocks without `---`. */
  left: string[];
}

const line = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** Rows and cells as spreadsheets copy them: cells by tabs, rows by line ends, quotes around what holds either. */
function cells(text: string): string[][] {
  const rows: string[][] = [[]];
  const cell = /"((?:[^"]|"")*)"(?=[\t\n]|$)|[^\t\n]*/y;
  for (let at = 0; at <= text.length; at++) {
    cell.lastIndex = at;
    const [whole, quoted] = cell.exec(text) ?? [""];
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? whole);
    at += whole.length;
    if (text[at] === "\n") rows.push([]);
  }
  return rows;
}

const block = (text: string): string[] | null => {
  const [input, answer, ...more] = text.split(/^---[ \t]*\n/m);
  return input === undefined || answer === undefined || more.length > 0 ? null : [input, answer];
};

/**
 * The tests of a text, named after those that are known.
 *
 * With a tab in it each row is a test: input and expected output, or name, input and expected output. Without, `===` on a line of its own parts the
 * tests, and `---` input and expected output.
 */
export function pasted(text: string, known: WorkTest[]): Pasted {
  const clean = text.replaceAll("\r\n", "\n");
  const isTable = clean.includes("\t");
  const pieces = isTable ? cells(clean) : clean.split(/^===[ \t]*\n?/m).filter((piece) => piece.trim() !== "");
  const made: Pasted = { tests: [], left: [] };
  for (const piece of pieces) {
    const parts = typeof piece === "string" ? block(line(piece)) : piece;
    const [expected, stdin, name] = [...(parts ?? [])].slice(0, 3).reverse();
    if (expected === undefined || stdin === undefined) {
      made.left.push(typeof piece === "string" ? piece.trim() : piece.join(" "));
      continue;
    }
    const test = newTest(name || freshName([...known, ...made.tests]));
    made.tests.push({ ...test, stdin: line(stdin), expected: line(expected) });
  }
  made.left = made.left.filter((piece) => piece !== "");
  return made;
}
