/** A teacher writes an exercise, grades a solution of his own, meets another teacher's changes, and reads what came of it. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { overflow, tabTo, violations } from "./support/axe";
import { closeBrowser, faults, profile, sentence, signedIn, submit, write } from "./support/browser";
import { RIGHT, SUM, WRONG } from "./support/exercises";
import { Service, until } from "./support/service";

let service: Service;

beforeAll(async () => {
  service = await Service.start(2);
  await service.putExercise("graded", SUM);
  for (const [owner, program] of [["alice", WRONG], ["alice", RIGHT], ["=1+1", WRONG], ["bob", "print(3)\n"]] as const) {
    const id = await service.submit(owner, "graded", program);
    await until("the end of a submission", () => service.state(owner, id), (state) => state === "finished");
  }
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
  expect(faults).toEqual([]);
});

const teacher = (name = "tina") => service.token(name, "teacher");
const tab = (page: Page, name: string) => page.getByRole("tab", { name });
const save = (page: Page) => page.locator(".save-bar").getByRole("button", { name: "Save" }).click();
const bar = (page: Page, text: string | RegExp) => page.locator(".save-bar").getByText(text).waitFor();

/** Keeps a picture of the page where GUICHET_PICTURES says, for people to look at. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.GUICHET_PICTURES;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

test("a teacher writes an exercise, is told what is wrong with it, and grades a solution", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}teach`, teacher());
  await page.getByLabel("Id").fill("no id");
  await page.getByRole("button", { name: "Write it" }).click();
  await page.getByRole("alert").getByText("1 to 128 letters").waitFor();
  await page.getByLabel("Id").fill("double");
  await page.getByRole("button", { name: "Write it" }).click();
  await bar(page, "Not saved yet.");

  await page.getByLabel("Title").fill("Double");
  await page.getByLabel("Python 3.11").check();
  await page.getByRole("textbox", { name: "Statement" }).fill("Print **twice** the number.\n\n<script>window.hacked = 1</script>");
  await page.locator(".preview strong", { hasText: "twice" }).waitFor();
  await tab(page, "Tests").click();
  await page.getByRole("button", { name: "Add a test" }).click();
  await page.getByLabel("Name, 1").fill("two");
  await page.getByLabel("Input, 1").fill("2\n");
  await page.getByLabel("Expected output, 1").fill("4\n");
  await page.locator('input[type="file"]').setInputFiles([
    { name: "ten.in", mimeType: "text/plain", buffer: Buffer.from("10\n") },
    { name: "ten.ans", mimeType: "text/plain", buffer: Buffer.from("20\n") },
    { name: "left.out", mimeType: "text/plain", buffer: Buffer.from("") },
  ]);
  await page.getByText("1 test is taken in. Left out, since they belong to no pair: left.out.").first().waitFor();
  await page.getByText("Paste tests", { exact: true }).click();
  await page.getByRole("textbox", { name: "Paste tests" }).fill("7\n---\n14\n===\nno answer\n");
  await page.getByRole("button", { name: "Take in what is pasted" }).click();
  await page.getByText("1 test is taken in. Left out, since no expected output belongs to it: no answer.").first().waitFor();
  await picture(page, "paste");
  await page.getByLabel("Weight, two").fill("lots");
  await tab(page, "Limits").click();
  await page.getByLabel("Processor time, ms").first().fill("0");
  await picture(page, "limits");
  await save(page);

  // The number that is none is found first, then the one out of range: each at its field, in its tab.
  const weight = page.getByLabel("Weight, two");
  await weight.and(page.locator('[aria-invalid="true"]')).waitFor();
  expect(await weight.evaluate((element) => element === document.activeElement)).toBe(true);
  await picture(page, "fault");
  await weight.fill("3");
  await save(page);
  const cpu = page.getByLabel("Processor time, ms").first();
  await cpu.and(page.locator('[aria-invalid="true"]')).waitFor();
  await page.getByText("must be between 1 and 60000").waitFor();
  expect(await tab(page, "Limits").textContent()).toContain("1 field is wrong");
  await cpu.fill("1000");
  expect(await page.locator("[aria-invalid]").count()).toBe(0);
  await page.keyboard.press("Control+s");
  await bar(page, "Saved: version 1.");
  const { body } = await service.exercise("double");
  expect(body).toMatchObject({ title: "Double", runtimes: ["python"], limits: { cpu_time_ms: 1000 }, test_count: 3 });
  expect(body.tests).toMatchObject([
    { name: "two", stdin: "2\n", weight: 3 },
    { name: "ten", stdin: "10\n", expected: "20\n", visibility: "hidden" },
    { name: "3", stdin: "7\n", expected: "14\n", visibility: "hidden" },
  ]);

  await tab(page, "Try").click();
  await page.getByText("Graded with version 1.").waitFor();
  await write(page, "print(2 * int(input()))\n");
  await submit(page);
  expect(await sentence(page)).toBe("All 3 tests passed.");
  await picture(page, "try");
  await tab(page, "Tests").click();
  await page.getByRole("button", { name: "Move ten up" }).click();
  await bar(page, "Your changes are kept in this browser until you save.");
  await tab(page, "Try").click();
  await page.getByText("What you changed since is not in it: save first.").waitFor();
  await page.getByRole("tabpanel", { name: "Try" }).getByRole("button", { name: "Save" }).click();
  await page.getByText("Graded with version 2.").waitFor();
  expect((await service.exercise("double")).body.tests).toMatchObject([{ name: "ten" }, { name: "two" }, { name: "3" }]);
  await context.close();
});

test("what two teachers change comes together, and no text is lost", async () => {
  await service.putExercise("shared", SUM);
  const [one, other] = [await profile(), await profile()];
  const page = await signedIn(one, `${service.url}teach/shared`, teacher());
  const theirs = await signedIn(other, `${service.url}teach/shared`, teacher("theo"));
  await page.getByRole("textbox", { name: "Statement" }).fill("Mine.");
  await theirs.getByLabel("Title").fill("Sums");
  await save(theirs);
  await bar(theirs, "Saved: version 2.");

  await save(page);

  await page.getByRole("heading", { name: "Another changed this exercise meanwhile" }).waitFor();
  await page.getByText("Changed there: title.").waitFor();
  await picture(page, "conflict");
  expect(await page.getByRole("textbox", { name: "Statement" }).inputValue()).toBe("Mine.");
  expect((await service.exercise("shared")).body).toMatchObject({ version: 2, statement: SUM.statement });
  await page.getByRole("button", { name: "Take both" }).click();
  await bar(page, "Both are together now. Look at it, then save.");
  await save(page);
  await bar(page, "Saved: version 3.");
  expect((await service.exercise("shared")).body).toMatchObject({ title: "Sums", statement: "Mine." });

  // The other has not seen that, and changes the same field; after a reload his text and the question are still there.
  await theirs.getByRole("textbox", { name: "Statement" }).fill("Theirs.");
  await bar(theirs, "Your changes are kept");
  await theirs.reload();
  await theirs.getByText("Changed by both: statement.").waitFor();
  expect(await theirs.getByRole("textbox", { name: "Statement" }).inputValue()).toBe("Theirs.");
  expect(await theirs.getByRole("button", { name: "Take both" }).count()).toBe(0);
  await theirs.getByRole("button", { name: "Go on with mine" }).click();
  await save(theirs);
  await bar(theirs, "Saved: version 4.");
  expect((await service.exercise("shared")).body).toMatchObject({ title: "Sums", statement: "Theirs." });
  await one.close();
  await other.close();
});

test("what was not saved is there again after a reload, and can be thrown away", async () => {
  await service.putExercise("kept", SUM);
  const context = await profile();
  const page = await signedIn(context, `${service.url}teach/kept?tab=tests`, teacher());
  await page.getByLabel("Name, small").fill("tiny");
  await bar(page, "Your changes are kept in this browser until you save.");

  await page.reload();
  await page.getByRole("tab", { name: "Tests", selected: true }).waitFor();
  expect(await page.getByLabel("Name, tiny").inputValue()).toBe("tiny");
  await page.getByRole("link", { name: "Teach" }).click();
  await page.locator(".list li", { hasText: "kept" }).getByText("changes not saved").waitFor();
  await picture(page, "list");
  await page.goBack();
  await page.getByRole("button", { name: "Discard changes" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();

  await page.getByLabel("Name, small").waitFor();
  await bar(page, "No changes.");
  expect((await service.exercise("kept")).body.version).toBe(1);
  await context.close();
});

test("a teacher reads what each reached, how often each test fails, and keeps it as a table", async () => {
  const context = await profile({ acceptDownloads: true });
  const page = await signedIn(context, `${service.url}teach/graded?tab=results`, teacher());
  const row = page.getByRole("row", { name: /alice/ });
  await row.waitFor();

  expect(await row.locator("td").allTextContents()).toMatchObject(["2", "Accepted", "4/4", "Accepted", "4/4", expect.any(String)]);
  expect(await page.locator(".bars li", { hasText: "big" }).textContent()).toContain("2 of 3 fail");
  expect(await page.locator(".bars li", { hasText: "small" }).textContent()).toContain("1 of 3 fail");
  await picture(page, "results");
  await page.getByLabel("Count").selectOption("all");
  expect(await page.locator(".bars li", { hasText: "big" }).textContent()).toContain("3 of 4 fail");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download as CSV" }).click()]);
  const table = readFileSync(await download.path(), "utf8");
  expect(download.suggestedFilename()).toBe("results-graded.csv");
  expect(table.startsWith("\ufeffowner,submissions,")).toBe(true);
  expect(table).toContain('\r\n"\'=1+1",1,');
  await row.getByRole("link", { name: "2" }).click();
  await page.waitForURL("**/submissions?exercise_id=graded&owner=alice");
  await page.getByRole("heading", { name: "Submissions" }).waitFor();
  expect(await page.locator("tbody tr").count()).toBe(2);
  await context.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const [device, viewport] of [["desktop", { width: 1400, height: 900 }], ["phone", { width: 360, height: 740 }]] as const) {
    test(`axe finds nothing wrong in the teacher's views and nothing is cut off, ${colorScheme}, ${device}`, async () => {
      const context = await profile({ colorScheme, viewport });
      const found: string[] = [];
      const page = await signedIn(context, `${service.url}teach`, teacher());
      const look = async (name: string) => {
        found.push(...(await violations(page)));
        expect(await overflow(page), name).toBe(0);
        await picture(page, `${device}-${colorScheme}-${name}`);
      };
      await page.getByRole("link", { name: "Sum" }).first().waitFor();
      await look("list");
      for (const name of ["statement", "tests", "limits", "checker", "results", "try"]) {
        await page.goto(`${service.url}teach/graded?tab=${name}`);
        await page.getByRole("tab", { selected: true }).first().waitFor();
        if (name === "results") await page.locator(".bars li").first().waitFor();
        if (name === "try") await page.locator(".cm-content").waitFor();
        await look(name);
      }
      await page.goto(`${service.url}teach/new-one?tab=tests`);
      await save(page);
      await page.locator(".refusal").waitFor();
      await look("refused");
      expect(found).toEqual([]);
      await context.close();
    });
  }
}

test("the keyboard alone writes an exercise", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}teach`, teacher("keys"));
  await tabTo(page, 'input[maxlength="128"]');
  await page.keyboard.type("by-keys");
  await page.keyboard.press("Enter");
  await bar(page, "Not saved yet.");
  await tabTo(page, '[role="tab"][aria-selected="true"]');
  await page.keyboard.press("Tab");
  await page.keyboard.type("By keys");
  await page.keyboard.press("Tab");
  await tabTo(page, 'input[value="python"]');
  await page.keyboard.press("Space");
  await page.locator('[role="tab"][aria-selected="true"]').focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tab", { name: "Tests", selected: true }).waitFor();
  for (const name of ["one", "two"]) {
    await tabTo(page, ".panel:not([hidden]) .actions > button:first-child");
    await page.keyboard.press("Enter");
    await page.keyboard.type(`${name}\n`);
    await page.keyboard.press("Tab");
    await page.keyboard.type(`${name}\n`);
  }
  await page.getByRole("button", { name: "Move 2 up" }).focus();
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Move 2 up");
  await page.keyboard.press("Control+s");
  await bar(page, "Saved: version 1.");

  expect((await service.exercise("by-keys")).body.tests).toMatchObject([{ name: "2", stdin: "two\n" }, { name: "1", stdin: "one\n" }]);
  await context.close();
});

test("the teacher's views speak French, and are not for students", async () => {
  const french = await profile({ locale: "fr-FR" });
  const page = await french.newPage();
  await page.goto(`${service.url}teach/graded?tab=results`);
  await page.getByLabel("Jeton").fill(teacher());
  await page.getByRole("button", { name: "Se connecter" }).click();
  await page.getByRole("button", { name: "Télécharger en CSV" }).waitFor();
  expect(await page.locator(".bars li").first().textContent()).toContain("1 échec sur 3");
  await french.close();
  const students = await profile();
  const student = await signedIn(students, `${service.url}teach/graded`, service.token("carol"));
  await student.getByText("This view is not for the role student.").waitFor();
  expect(await student.getByRole("link", { name: "Teach" }).count()).toBe(0);
  await students.close();
});
