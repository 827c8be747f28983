import { expect, test } from "vitest";
import type { Exercise, Runtime, Submission, TestReport } from "../../src/api/types";
import { isFileName, starterFiles } from "../../src/parts/workbench/starter";
import { sentence } from "../../src/parts/result/sentence";
import { match } from "../../src/router";
import { chosen } from "../../src/texts";
import { en } from "../../src/texts/en";
import { fr } from "../../src/texts/fr";

const report = (fields: Partial<TestReport>) =>
  ({ name: "big", verdict: "accepted", limit: null, exit_code: 0, signal: null, ...fields }) as TestReport;
const submission = (verdict: string, tests: TestReport[], run: object | null = null) =>
  ({ state: "finished", run, result: { verdict, tests } }) as unknown as Submission;

test("a verdict is one plain sentence", () => {
  const slow = report({ verdict: "time_limit_exceeded", limit: { kind: "cpu_time", allowed: 1000, measured: 1010 } });

  expect(sentence(submission("accepted", [report({}), report({})]))).toBe("All 2 tests passed.");
  expect(sentence(submission("time_limit_exceeded", [report({}), report({}), slow])).replace(/\u00a0/g, " ")).toBe(
    "2 of 3 tests passed; “big” took more than 1 s of processor time.",
  );
  expect(sentence(submission("compilation_error", []))).toBe("The program does not compile: no test was run.");
  const crashed = report({ verdict: "runtime_error", exit_code: null, signal: 11 });
  expect(sentence(submission("runtime_error", [crashed], {}))).toBe("The program was ended by signal 11.");
});

test("the browser's first language that the page has is taken", () => {
  expect([chosen(["fr-CA", "en"]), chosen(["de", "fr"]), chosen(["de"]), chosen([])]).toEqual(["fr", "fr", "en", "en"]);
});

test("numbers, sizes and times are as the language writes them", () => {
  const plain = (texts: string[]) => texts.map((text) => text.replace(/\s/g, " "));

  expect(plain([en.format.milliseconds(340), en.format.milliseconds(1234), en.format.bytes(268435456)])).toEqual(["340 ms", "1.23 s", "256 MiB"]);
  expect(plain([en.format.seconds(90), en.format.seconds(150)])).toEqual(["90 s", "3 min"]);
  expect(plain([fr.format.milliseconds(1234), fr.format.bytes(1536)])).toEqual(["1,23 s", "1,5 Kio"]);
  expect(fr.result.passed(0, 3)).toBe("0 test réussi sur 3");
});

test("each address has its view", () => {
  expect(match("exercises/a%20b")?.parameters).toEqual({ id: "a b" });
  expect(match("")?.route.path).toBe("");
  expect([match("exercises"), match("exercises/"), match("x/y/z"), match("exercises/%")]).toEqual([null, null, null, null]);
});

test("one starts with the files of one's own language", () => {
  const [python, c] = [{ id: "python", entry_file: "main.py" }, { id: "c", entry_file: "main.c" }] as Runtime[];
  const exercise = { starter_files: [{ path: "main.py", content: "x" }, { path: "words.txt", content: "a" }] } as Exercise;
  const files = (runtime: Runtime | undefined) =>
    runtime && starterFiles(exercise, runtime, [python, c] as Runtime[]).map(({ path }) => path);

  expect(files(python)).toEqual(["main.py", "words.txt"]);
  expect(files(c)).toEqual(["main.c", "words.txt"]);
});

test("names of files are those that the service takes", () => {
  expect(["main.py", "a/b.py", "é.py"].every((path) => isFileName(path, []))).toBe(true);
  expect(["", ".", "a/../b", "/a", "a\\b", "a\u0000", "x".repeat(256), "main.py"].some((path) => isFileName(path, ["main.py"]))).toBe(false);
});
