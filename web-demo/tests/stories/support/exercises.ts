/** Exercises and programs of the stories. */

export const SUM = {
  title: "Sum",
  statement: "Read two integers, print their **sum**.\n\n```\n1 2\n```\n\n| in | out |\n|---|---|\n| `1 2` | `3` |",
  kind: "stdio",
  runtimes: ["python", "c"],
  limits: { cpu_time_ms: 1000, wall_time_ms: 5000 },
  tests: [
    { name: "small", stdin: "1 2\n", expected: "3\n", visibility: "public", weight: 1 },
    { name: "negative", stdin: "-5 3\n", expected: "-2\n", visibility: "public", weight: 1 },
    { name: "big", stdin: "40 2\n", expected: "42\n", visibility: "hidden", weight: 2 },
  ],
};

/** Tests that take as long as a program likes. */
export const patience = (count: number) => ({
  title: "Patience",
  statement: "Print `ok`.",
  kind: "stdio",
  runtimes: ["python"],
  limits: { cpu_time_ms: 5000, wall_time_ms: 20_000 },
  tests: Array.from({ length: count }, (_, index) => ({ name: `t${index + 1}`, expected: "ok\n", visibility: "public" })),
});

export const RIGHT = "a, b = map(int, input().split())\nprint(a + b)\n";
export const WRONG = "a, b = map(int, input().split())\nprint(a, b)\n";
export const takes = (seconds: number) => `import time\ntime.sleep(${seconds})\nprint("ok")\n`;
export const BROKEN_C = "#include <stdio.h>\nint main(void) {\n  int n = one;\n  return 0;\n}\n";
