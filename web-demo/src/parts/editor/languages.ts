/** The languages that the editor highlights, each loaded when a file of it is opened. */
import type { Extension } from "@codemirror/state";

// The languages alone: what completes words would double what is loaded.
const python = async () => (await import("@codemirror/lang-python")).pythonLanguage;
const cpp = async () => (await import("@codemirror/lang-cpp")).cppLanguage;
const java = async () => (await import("@codemirror/lang-java")).javaLanguage;
const javascript = async () => (await import("@codemirror/lang-javascript")).javascriptLanguage;
const typescript = async () => (await import("@codemirror/lang-javascript")).typescriptLanguage;
const rust = async () => (await import("@codemirror/lang-rust")).rustLanguage;
const go = async () => (await import("@codemirror/lang-go")).goLanguage;

const BY_ENDING: Record<string, () => Promise<Extension>> = {
  py: python,
  c: cpp,
  h: cpp,
  cc: cpp,
  cpp,
  cxx: cpp,
  hpp: cpp,
  java,
  js: javascript,
  mjs: javascript,
  cjs: javascript,
  ts: typescript,
  rs: rust,
  go,
};

/** What highlights a file of that name; nothing for one that the editor does not know. */
export async function languageOf(path: string): Promise<Extension> {
  const load = BY_ENDING[path.split(".").at(-1)?.toLowerCase() ?? ""];
  return load ? load() : [];
}
