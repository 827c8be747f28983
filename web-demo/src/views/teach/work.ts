/** An exercise while it is edited: what the service gave, changed in place, and put back whole. Pure. */
import type { Exercise, FileRequest } from "../../api/types";

/** A number as it was typed: what is no number stays as it is, and the service says so at its field. */
export type Typed = number | string;
export type LimitName = "cpu_time_ms" | "wall_time_ms" | "memory_bytes" | "output_bytes" | "processes";
export type TypedLimits = Partial<Record<LimitName, Typed | null>>;

/** A test. Bytes that are no text stand in the twins in base64. */
export interface WorkTest {
  name: string;
  args: string[];
  stdin: string | null;
  stdin_base64?: string;
  expected: string | null;
  expected_base64?: string;
  visibility: "public" | "hidden";
  weight: Typed;
}

export type WorkChecker =
  | { type: "exact" }
  | { type: "tokens"; case_sensitive: boolean; float_tolerance: { absolute: Typed; relative: Typed } | null };

/** What a teacher changes. Fields that the page does not know stay in it as they came. */
export interface Work {
  title: string;
  statement: string;
  kind: Exercise["kind"];
  runtimes: string[];
  starter_files: FileRequest[];
  priority: Exercise["priority"];
  isolation: Exercise["isolation"];
  limits: TypedLimits;
  limits_by_runtime: Record<string, TypedLimits>;
  compile_limits: TypedLimits;
  checker: WorkChecker;
  stop_on_first_failure: boolean;
  tests: WorkTest[];
}

/** Fields that the service sets itself. */
const SET_BY_SERVICE = ["id", "version", "updated_at", "test_count"];

/** An exercise of which nothing is written yet. */
export const emptyWork = (): Work => ({
  title: "",
  statement: "",
  kind: "stdio",
  runtimes: [],
  starter_files: [],
  priority: "normal",
  isolation: "reset",
  limits: {},
  limits_by_runtime: {},
  compile_limits: {},
  checker: { type: "tokens", case_sensitive: true, float_tolerance: null },
  stop_on_first_failure: false,
  tests: [],
});

/** An exercise as it was read, to be changed. */
export function workOf(exercise: Exercise): Work {
  const fields = Object.entries(structuredClone(exercise)).filter(([name]) => !SET_BY_SERVICE.includes(name));
  return Object.fromEntries(fields) as unknown as Work;
}

/** A value with the fields of its objects in one order, and those left out that say nothing. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(fields.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, field]) => [name, plain(field)]));
}

export const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(plain(one)) === JSON.stringify(plain(other));

/** The fields in which two differ. */
export function differences(one: Work, other: Work): (keyof Work)[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof Work>;
  return [...names].filter((name) => !isSame(one[name], other[name]));
}

/** Two changes of the same exercise in one, field by field; `both` are those that each changed otherwise, kept as mine. */
export function joined(base: Work, mine: Work, theirs: Work): { work: Work; both: (keyof Work)[] } {
  const [of_mine, of_theirs] = [differences(base, mine), differences(base, theirs)];
  const taken = of_theirs.filter((name) => !of_mine.includes(name));
  const both = of_theirs.filter((name) => of_mine.includes(name) && !isSame(mine[name], theirs[name]));
  const changes = Object.fromEntries(taken.map((name) => [name, structuredClone(theirs[name])]));
  return { work: { ...mine, ...changes }, both };
}

/** A whole number of `unit`s, or what was typed; nothing is `null`. */
export function typed(text: string, unit = 1): Typed | null {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const value = Number(trimmed.replace(",", ".")) * unit;
  // A limit in bytes that is no whole number of them is rounded; any other fraction is for the service to refuse.
  if (!/^\d+([.,]\d+)?$/.test(trimmed) || !Number.isSafeInteger(Math.round(value))) return text;
  return unit > 1 ? Math.round(value) : value;
}

/** A number in its unit, as it is typed. */
export function shown(value: Typed | null | undefined, unit = 1): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string" || unit === 1) return String(value);
  return String(Number((value / unit).toFixed(6)));
}

/** Moves an item of a list by one step, if there is room. */
export function moved<T>(list: T[], from: number, step: -1 | 1): T[] {
  const to = from + step;
  const [here, there] = [list[from], list[to]];
  if (here === undefined || there === undefined) return list;
  return list.map((item, index) => (index === from ? there : index === to ? here : item));
}

/** A name that no test has yet. */
export function freshName(tests: WorkTest[]): string {
  const names = new Set(tests.map(({ name }) => name));
  let number = tests.length + 1;
  while (names.has(String(number))) number++;
  return String(number);
}

export const newTest = (name: string): WorkTest => ({ name, args: [], stdin: "", expected: "", visibility: "hidden", weight: 1 });
