/** Where two outputs differ: line by line, and within a line. Pure. */

/** A piece of a line. */
export interface Piece {
  text: string;
  differs: boolean;
}

export type Row =
  /** A line on each side; `null` where one side has none. */
  | { kind: "line"; expected: Piece[] | null; actual: Piece[] | null; differs: boolean }
  /** Equal lines that are left out. */
  | { kind: "fold"; count: number };

/** Equal lines that are shown around a difference. */
const CONTEXT = 3;
/** The most cells of the table that finds equal lines; beyond it lines are compared by their place. */
const MAX_CELLS = 1_000_000;

/** Lines with their ends: the last has none if the text does not end with one. */
const lines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

type Pair = [string | null, string | null];

/** All rows of a comparison, equal ones far from a difference folded. */
export function diff(expected: string, actual: string): Row[] {
  return folded(paired(lines(expected), lines(actual)).map(row));
}

function paired(left: string[], right: string[]): Pair[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let end = 0;
  const room = Math.min(left.length, right.length) - start;
  while (end < room && left[left.length - 1 - end] === right[right.length - 1 - end]) end++;
  const same = (from: number, to: number): Pair[] => left.slice(from, to).map((line) => [line, line]);
  return [
    ...same(0, start),
    ...changed(left.slice(start, left.length - end), right.slice(start, right.length - end)),
    ...same(left.length - end, left.length),
  ];
}

function changed(left: string[], right: string[]): Pair[] {
  if (left.length * right.length > MAX_CELLS) return besideEachOther(left, right);
  const length = longest(left, right);
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  let [gone, come]: [string[], string[]] = [[], []];
  const flush = () => {
    pairs.push(...besideEachOther(gone, come));
    [gone, come] = [[], []];
  };
  while (i < left.length || j < right.length) {
    const [a, b] = [left[i], right[j]];
    if (a !== undefined && a === b) {
      flush();
      pairs.push([a, a]);
      i++;
      j++;
    } else if (b === undefined || (a !== undefined && at(length, i + 1, j) >= at(length, i, j + 1))) {
      gone.push(a ?? "");
      i++;
    } else {
      come.push(b);
      j++;
    }
  }
  flush();
  return pairs;
}

const at = (table: Uint32Array[], i: number, j: number): number => table[i]?.[j] ?? 0;

/** For each place, how many lines behind it both can share. */
function longest(left: string[], right: string[]): Uint32Array[] {
  const table = Array.from({ length: left.length + 1 }, () => new Uint32Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const row = table[i];
      if (!row) continue;
      row[j] = left[i] === right[j] ? at(table, i + 1, j + 1) + 1 : Math.max(at(table, i + 1, j), at(table, i, j + 1));
    }
  }
  return table;
}

function besideEachOther(left: string[], right: string[]): Pair[] {
  const count = Math.max(left.length, right.length);
  return Array.from({ length: count }, (_, index) => [left[index] ?? null, right[index] ?? null]);
}

function row([left, right]: Pair): Row & { kind: "line" } {
  if (left === null || right === null) {
    const whole = (text: string | null): Piece[] | null => (text === null ? null : [{ text, differs: true }]);
    return { kind: "line", expected: whole(left), actual: whole(right), differs: true };
  }
  if (left === right) {
    const pieces = [{ text: left, differs: false }];
    return { kind: "line", expected: pieces, actual: pieces, differs: false };
  }
  const [a, b] = [Array.from(left), Array.from(right)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  const room = Math.min(a.length, b.length) - start;
  while (end < room && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return { kind: "line", expected: pieces(a, start, end), actual: pieces(b, start, end), differs: true };
}

function pieces(signs: string[], start: number, end: number): Piece[] {
  const part = (from: number, to: number, differs: boolean): Piece => ({ text: signs.slice(from, to).join(""), differs });
  const all = [
    part(0, start, false),
    part(start, signs.length - end, true),
    part(signs.length - end, signs.length, false),
  ];
  return all.filter((piece) => piece.text !== "");
}

function folded(rows: (Row & { kind: "line" })[]): Row[] {
  const near = new Set<number>();
  rows.forEach(({ differs }, index) => {
    if (!differs) return;
    for (let other = index - CONTEXT; other <= index + CONTEXT; other++) near.add(other);
  });
  const shown: Row[] = [];
  let count = 0;
  rows.forEach((row, index) => {
    if (near.has(index) || near.size === 0) {
      if (count > 0) shown.push({ kind: "fold", count });
      count = 0;
      shown.push(row);
    } else {
      count++;
    }
  });
  if (count > 0) shown.push({ kind: "fold", count });
  return shown;
}

/** White space and control characters as signs that one can see. */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u0020\u007f\u00a0]/g, (sign) => {
    if (sign === " ") return "·";
    if (sign === "\u00a0") return "⍽";
    if (sign === "\t") return "→";
    if (sign === "\n") return "⏎";
    if (sign === "\u007f") return "␡";
    return String.fromCharCode(0x2400 + sign.charCodeAt(0));
  });
}
