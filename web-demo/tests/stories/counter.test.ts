/** A student at the counter: his place, his tests, his result. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeBrowser, faults, profile, record, recorded, sentence, signedIn, submit, write } from "./support/browser";
import { BROKEN_C, patience, RIGHT, SUM, takes, WRONG } from "./support/exercises";
import { Service } from "./support/service";

let service: Service;

beforeAll(async () => {
  service = await Service.start(1);
  await service.putExercise("sum", SUM);
  await service.putExercise("patience", patience(3));
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
  expect(faults).toEqual([]);
});

test("his place falls to 1 while ten others are ahead, then his tests come one by one", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/patience`, service.token("alice"));
  await write(page, takes(0.4));
  await Promise.all(Array.from({ length: 11 }, (_, index) => service.submit(`other-${index}`, "patience", takes(0.2))));
  await record(page, "places", ".place");
  await record(page, "reasons", ".reason");
  await record(page, "tests", ".ticket > .stack > .figure");

  await submit(page);

  expect(await sentence(page)).toBe("All 3 tests passed.");
  const places = (await recorded(page, "places")).map(Number);
  expect(places[0]).toBeGreaterThanOrEqual(9);
  expect(places.at(-1)).toBe(1);
  expect(places.length).toBeGreaterThanOrEqual(6);
  expect([...places].sort((a, b) => b - a)).toEqual(places);
  expect(await recorded(page, "reasons")).toContain("Those ahead of you are done.");
  expect(await recorded(page, "tests")).toEqual(expect.arrayContaining(["1 of 3 tests", "2 of 3 tests"]));
  await context.close();
});

test("a wrong answer shows where it differs, white space too", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("bob"));
  await write(page, WRONG);

  await submit(page);

  expect(await sentence(page)).toBe("0 of 3 tests passed; “small” printed something else than was expected.");
  const row = page.locator(".compare tbody tr").first();
  expect(await row.locator("td").allTextContents()).toEqual(["3⏎", "1·2⏎"]);
  expect(await row.locator("del").textContent()).toBe("3");
  expect(await row.locator("ins").textContent()).toBe("1·2");
  expect(await page.locator(".usage").first().textContent()).toContain("of 256\u00a0MiB");
  await page.locator("details.test", { hasText: "big (hidden)" }).locator("summary").click();
  await page.getByText("What a hidden test asks and got is not shown.").waitFor();
  await context.close();
});

test("what the compiler says stands at its line", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("carol"));
  await page.getByLabel("Language").selectOption("c");
  await write(page, BROKEN_C);

  await submit(page);

  expect(await sentence(page)).toBe("The program does not compile: no test was run.");
  const gutter = page.locator(".cm-gutter-lint .cm-gutterElement").filter({ has: page.locator(".cm-lint-marker-error") });
  await gutter.waitFor();
  const marked = await page.evaluate(() => {
    const marker = document.querySelector(".cm-lint-marker-error")?.getBoundingClientRect();
    const numbers = [...document.querySelectorAll(".cm-lineNumbers .cm-gutterElement")];
    return numbers.find((number) => Math.abs(number.getBoundingClientRect().top - (marker?.top ?? 0)) < 8)?.textContent;
  });
  expect(marked).toBe("3");
  expect(await page.locator(".cm-lintRange-error").textContent()).toBe("one");
  await page.locator(".diagnostics button").first().click();
  expect(await page.locator(".cm-lineNumbers .cm-activeLineGutter").textContent()).toBe("3");
  await context.close();
});

test("a run takes his own input and is not graded", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}run`, service.token("dave"));
  await page.getByLabel("Language").selectOption("python");
  await write(page, "import sys\nprint(input(), sys.argv[1:])\n");
  await page.getByLabel("Input of a run").fill("hello\n");
  await page.getByLabel("Arguments, one on each line").fill("a b\nc");

  await page.keyboard.press("Control+Enter");

  expect(await sentence(page)).toBe("The program ended with exit code 0.");
  expect(await page.locator(".result .output pre").first().textContent()).toBe("hello ['a b', 'c']\n");
  await context.close();
});

test("what takes too long can be cancelled, and one waits no longer", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/patience`, service.token("erin"));
  await write(page, takes(15));
  await submit(page);
  await page.getByText("Running", { exact: true }).waitFor();

  await page.getByRole("button", { name: "Cancel" }).click();

  await page.getByText("Cancelled. Nothing was graded; submit again when you like.").waitFor();
  await context.close();
});

test("an old submission is found by filters and opened in the editor", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("frank"));
  for (const program of [WRONG, RIGHT]) {
    await write(page, program);
    await submit(page);
    await page.locator(`.report.${program === RIGHT ? "good" : "bad"}`).waitFor();
  }
  await page.getByRole("link", { name: "Submissions" }).click();
  await page.getByLabel("Verdict").selectOption("wrong_answer");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL("**/submissions?verdict=wrong_answer");
  await page.locator("tbody tr").nth(1).waitFor({ state: "detached" });

  await page.locator("tbody a").click();
  await page.getByRole("link", { name: "Open in the editor" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();

  await page.locator(".cm-content", { hasText: "print(a, b)" }).waitFor();
  await page.reload();
  await page.locator(".cm-content", { hasText: "print(a, b)" }).waitFor();
  await context.close();
});

test("a program may have several files, and they are sent together", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("heidi"));
  await write(page, "from words import add\nprint(add(*map(int, input().split())))\n");
  await page.getByRole("button", { name: "New file" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name of the file").fill("../words.py");
  await dialog.getByRole("button", { name: "OK" }).click();
  await dialog.getByText("A name is a relative path").waitFor();
  await dialog.getByLabel("Name of the file").fill("words.py");
  await dialog.getByRole("button", { name: "OK" }).click();
  await page.getByRole("tab", { name: "words.py", selected: true }).waitFor();
  await write(page, "def add(a, b):\n    return a + b\n");

  await submit(page);

  expect(await sentence(page)).toBe("All 3 tests passed.");
  await page.reload();
  await page.getByRole("tab", { name: "words.py" }).click();
  await page.locator(".cm-content", { hasText: "def add(a, b)" }).waitFor();
  await context.close();
});

test("what is refused says which field, and what was written stays", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("grace"));
  await write(page, `# ${"x".repeat(1_100_000)}`);

  await submit(page);

  await page.getByRole("heading", { name: "Not taken" }).waitFor();
  expect(await page.locator("#code").getByRole("button", { name: "Submit" }).getAttribute("aria-disabled")).toBe("false");
  await context.close();
});
