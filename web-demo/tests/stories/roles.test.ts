/** What others than students see: the operator's board, the teacher's list; and what a full counter says. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeBrowser, faults, profile, sentence, signedIn, submit, write } from "./support/browser";
import { patience, RIGHT, SUM, takes, WRONG } from "./support/exercises";
import { Service } from "./support/service";

let service: Service;

beforeAll(async () => {
  service = await Service.start(1, { GUICHET_QUEUE__MAX_PER_OWNER: "1" });
  await service.putExercise("sum", SUM);
  await service.putExercise("patience", patience(1));
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
  expect(faults).toEqual([]);
});

test("an operator empties a host, a student reads why he waits, and goes on when it is back", async () => {
  const [admins, students] = [await profile(), await profile()];
  const board = await signedIn(admins, `${service.url}operate`, service.token("root", "admin"));
  const host = board.locator(".host");
  await host.getByText("healthy").waitFor();

  await host.getByRole("button", { name: "Drain" }).click();
  await board.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
  await host.getByText("is being emptied").waitFor();
  const page = await signedIn(students, `${service.url}exercises/sum`, service.token("alice"));
  await write(page, RIGHT);
  await submit(page);
  await page.getByText("No machine can run Python 3.11 at the moment: no machine takes work.").waitFor();
  expect(await page.locator(".place").textContent()).toBe("1");
  await board.locator(".figures").getByText("1", { exact: true }).first().waitFor();
  await host.getByRole("button", { name: "Activate" }).click();

  expect(await sentence(page)).toBe("All 3 tests passed.");
  await admins.close();
  await students.close();
});

test("an operator sees what a container does, and ends it: its program runs again", async () => {
  const [admins, students] = [await profile(), await profile()];
  const board = await signedIn(admins, `${service.url}operate`, service.token("root", "admin"));
  const page = await signedIn(students, `${service.url}exercises/patience`, service.token("bob"));
  await write(page, takes(4));
  await submit(page);
  await page.getByText("Running", { exact: true }).waitFor();
  await board.getByText("Containers").click();
  const busy = board.locator(".host tbody tr", { hasText: "busy" });

  await busy.getByRole("button", { name: "Kill" }).click();
  await board.getByRole("dialog").getByRole("button", { name: "Yes" }).click();

  await page.getByText("The container was lost. This is attempt 2.").waitFor();
  expect(await sentence(page)).toBe("The test passed.");
  await admins.close();
  await students.close();
});

test("the operator's figures say how old they are while nothing comes", async () => {
  const admins = await profile();
  const board = await signedIn(admins, `${service.url}operate`, service.token("root", "admin"));
  await board.locator(".host").waitFor();

  await service.kill();
  await board.getByText(/These figures are \d+\ss old\./).waitFor();
  await service.restart();

  await board.getByText(/These figures are/).waitFor({ state: "hidden" });
  await admins.close();
});

test("a student who asks for the operator's view is told that it is not for him", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}operate`, service.token("carol"));

  await page.getByText("This view is not for the role student.").waitFor();
  expect(await page.getByRole("link", { name: "Operate" }).count()).toBe(0);
  await context.close();
});

test("a teacher finds the submissions of one student, with what hidden tests hold", async () => {
  const context = await profile();
  const id = await service.submit("dave", "sum", WRONG);
  await service.submit("erin", "sum", RIGHT);
  const page = await signedIn(context, `${service.url}submissions`, service.token("tina", "teacher"));
  await page.getByRole("cell", { name: "erin" }).waitFor();

  await page.getByLabel("Owner").fill("dave");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("cell", { name: "erin" }).waitFor({ state: "detached" });
  await page.locator("tbody a").click();

  await page.waitForURL(`**/submissions/${id}`);
  await sentence(page);
  await page.locator("details.test", { hasText: "big (hidden)" }).locator("summary").click();
  expect(await page.locator("details.test", { hasText: "big (hidden)" }).locator(".compare td").allTextContents()).toEqual(["42⏎", "40·2⏎"]);
  expect(await page.locator(".source").textContent()).toBe(WRONG);
  await context.close();
});

test("a teacher follows a student's program live", async () => {
  const context = await profile();
  const id = await service.submit("frank", "patience", takes(3));
  const page = await signedIn(context, `${service.url}submissions/${id}`, service.token("tina", "teacher"));

  expect(await sentence(page)).toContain("passed");
  await context.close();
});

test("one who sends too much is told so, and when it goes again", async () => {
  const context = await profile();
  await service.submit("other", "patience", takes(5));
  await service.submit("grace", "patience", takes(0.1));
  const page = await signedIn(context, `${service.url}exercises/patience`, service.token("grace"));
  await write(page, takes(0.1));

  await submit(page);

  await page.getByText("That is more than may wait at once.").waitFor();
  await page.getByText("You can send it again in").waitFor();
  const button = page.locator("#code").getByRole("button", { name: "Submit" });
  expect(await button.getAttribute("aria-disabled")).toBe("true");
  await page.getByText("You can send it again now.").first().waitFor();
  await submit(page);
  await page.locator(".sentence, .refusal").first().waitFor();
  await context.close();
});
