/** The files that a student starts with, in one language of an exercise that may have several. Pure. */
import type { Exercise, Runtime } from "../../api/types";
import type { DraftFile } from "../../state/drafts";

const ending = (path: string): string => path.split(".").at(-1) ?? "";

/** What belongs to another language than `runtime` is left out; there is always an entry file. */
export function starterFiles(exercise: Exercise | null, runtime: Runtime, all: Runtime[]): DraftFile[] {
  const own = ending(runtime.entry_file);
  const others = new Set(all.map(({ entry_file }) => ending(entry_file)).filter((other) => other !== own));
  const files = (exercise?.starter_files ?? [])
    .filter(({ path, content }) => typeof content === "string" && !others.has(ending(path)))
    .map(({ path, content }) => ({ path, content: content ?? "" }));
  const hasEntry = files.some(({ path }) => path === runtime.entry_file);
  return hasEntry ? files : [{ path: runtime.entry_file, content: "" }, ...files];
}

/** Why a name is none for a file, as the service would say. */
export function isFileName(path: string, taken: string[]): boolean {
  const parts = path.split("/");
  const isPlain = !/[\\\u0000-\u001f\u007f]/.test(path) && new TextEncoder().encode(path).length <= 255;
  return isPlain && parts.every((part) => part !== "" && part !== "." && part !== "..") && !taken.includes(path);
}
