/** Addresses and the views behind them (the same as in src/http/page.rs). Each view is loaded when it is opened. */
import type { OpenView } from "./app";
import type { Me } from "./api/types";

export interface Route {
  /** Parts of the path; one that begins with `:` is a parameter. */
  path: string;
  load: () => Promise<OpenView>;
  /** Who has it; all, if it is left out. */
  roles?: Me["role"][];
}

const TEACHERS: Me["role"][] = ["teacher", "backend", "admin"];

export const ROUTES: Route[] = [
  { path: "", load: async () => (await import("./views/home/home")).openHome },
  { path: "run", load: async () => (await import("./views/run/run")).openRun },
  { path: "exercises/:id", load: async () => (await import("./views/exercise/exercise")).openExercise },
  { path: "submissions", load: async () => (await import("./views/submissions/submissions")).openSubmissions },
  { path: "submissions/:id", load: async () => (await import("./views/submission/submission")).openSubmission },
  { path: "teach", load: async () => (await import("./views/teach/teach")).openTeach, roles: TEACHERS },
  { path: "teach/:id", load: async () => (await import("./views/teach/exercise")).openTeachExercise, roles: TEACHERS },
  { path: "operate", load: async () => (await import("./views/operate/operate")).openOperate, roles: ["admin"] },
];

export interface Match {
  route: Route;
  parameters: Record<string, string>;
}

/** The route of a path below the page's root, without its leading slash. */
export function match(path: string): Match | null {
  const parts = path.split("/");
  for (const route of ROUTES) {
    const wanted = route.path.split("/");
    if (wanted.length !== parts.length) continue;
    const parameters: Record<string, string> = {};
    const fits = wanted.every((want, index) => {
      const part = parts[index] ?? "";
      if (!want.startsWith(":")) return want === part;
      const value = decoded(part);
      if (!value) return false;
      parameters[want.slice(1)] = value;
      return true;
    });
    if (fits) return { route, parameters };
  }
  return null;
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
