/** What goes wrong on the way, and that the page goes on: restarts, lost connections, sessions that end, many tabs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeBrowser, code, faults, profile, record, recorded, sentence, signedIn, submit, withToken, write } from "./support/browser";
import { patience, RIGHT, SUM, takes } from "./support/exercises";
import { Service, until } from "./support/service";

let service: Service;

beforeAll(async () => {
  service = await Service.start(2);
  await service.putExercise("sum", SUM);
  await service.putExercise("patience", patience(6));
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
  expect(faults).toEqual([]);
});

test("the service dies in the middle and comes back: the page misses nothing and is not loaded again", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/patience`, service.token("alice"));
  await write(page, takes(1));
  await record(page, "lost", ".ticket .note");
  await record(page, "count", ".ticket > .stack > .figure");
  await record(page, "line", ".connection:not([hidden])");
  await submit(page);
  await page.locator('[data-test="2"]').waitFor();

  await service.kill();
  await page.locator(".connection").waitFor();
  await service.restart();

  expect(await sentence(page)).toBe("All 6 tests passed.");
  expect(await page.locator("details.test").count()).toBe(6);
  expect((await recorded(page, "lost")).join()).toContain("The service was restarted.");
  expect((await recorded(page, "count")).filter((text) => text === "6 of 6 tests").length).toBeLessThanOrEqual(1);
  await page.locator(".connection").waitFor({ state: "hidden" });
  await context.close();
});

test("what cannot be graded is never blamed on the program", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/patience`, service.token("ivan"));
  await write(page, takes(15));
  await submit(page);
  for (let attempt = 1; attempt <= 2; attempt++) await service.killBusyContainer();

  await page.getByText("This could not be graded, and it is not your program's fault.").waitFor();
  await page.getByText("The container was lost. It was tried 2 times.").waitFor();
  await context.close();
});

test("a page that is loaded again while its program runs shows the tests that it missed", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/patience`, service.token("bob"));
  await write(page, takes(1));
  await submit(page);
  await page.locator('[data-test="2"]').waitFor();

  await page.reload();

  await page.locator('[data-test="1"]').waitFor();
  await page.locator('[data-test="2"]').waitFor();
  expect(await page.locator(".report").count()).toBe(0);
  expect(await sentence(page)).toBe("All 6 tests passed.");
  expect(await code(page)).toContain("time.sleep(1)");
  await context.close();
});

test("eight tabs at once share one stream, and none starves", async () => {
  const context = await profile();
  const url = `${service.url}exercises/sum`;
  const first = await signedIn(context, url, service.token("carol"));
  // The others have their session from the first.
  const others = await Promise.all(
    Array.from({ length: 7 }, async () => {
      const page = await context.newPage();
      await page.goto(url);
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      return page;
    }),
  );
  const pages = [first, ...others];
  for (const page of pages) {
    await write(page, RIGHT);
    await submit(page);
  }

  const sentences = await Promise.all(pages.map((page) => sentence(page)));

  expect(sentences).toEqual(pages.map(() => "All 3 tests passed."));
  expect(await service.metric("guichet_streams_open")).toBe(1);
  await context.close();
  await until("the stream to end with the last tab", () => service.metric("guichet_streams_open"), (open) => open === 0);
});

test("a session that ends asks for another over the page, and what was written stays", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("dave"));
  await write(page, RIGHT);
  await page.getByText("Kept in this browser").waitFor();
  await withToken(page, service.token("dave", "student", "20s"));

  const dialog = page.getByRole("dialog", { name: "Your session is over" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  expect(await dialog.isVisible()).toBe(true);
  await dialog.getByLabel("Token").fill("not-a-token");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText("This token is not taken").waitFor();
  await dialog.getByLabel("Token").fill(service.token("dave"));
  await dialog.getByRole("button", { name: "Sign in" }).click();

  await dialog.waitFor({ state: "hidden" });
  expect(await code(page)).toContain("print(a + b)");
  await submit(page);
  expect(await sentence(page)).toBe("All 3 tests passed.");
  await context.close();
});

test("another who signs in where a session ended sees nothing of the one before", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("frank"));
  await write(page, "# written by frank\n");
  await page.getByText("Kept in this browser").waitFor();
  await withToken(page, service.token("frank", "student", "20s"));
  const dialog = page.getByRole("dialog", { name: "Your session is over" });
  await dialog.waitFor();

  await dialog.getByLabel("Token").fill(service.token("grace"));
  await dialog.getByRole("button", { name: "Sign in" }).click();

  await page.waitForURL(service.url);
  await page.locator(".subject", { hasText: "grace" }).waitFor();
  await page.getByRole("link", { name: "Sum" }).click();
  await page.locator(".cm-content").waitFor();
  expect(await code(page)).not.toContain("frank");
  await context.close();
});

test("signing out in one tab signs out the others, and takes the session away", async () => {
  const context = await profile();
  const first = await signedIn(context, service.url, service.token("heidi"));
  const second = await context.newPage();
  await second.goto(service.url);
  await second.getByRole("button", { name: "Sign out" }).waitFor();

  await first.getByRole("button", { name: "Sign out" }).click();

  for (const page of [first, second]) {
    await page.getByLabel("Token").waitFor();
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).toBe("{}");
    expect(await context.cookies()).toEqual([]);
  }
  await context.close();
});

test("what was sent while nothing answered is sent once, after signing in again", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("erin"));
  await write(page, RIGHT);
  await service.kill();
  await submit(page);
  await page.getByText("Sending…").first().waitFor();

  service.forgetKey();
  await service.restart();
  const dialog = page.getByRole("dialog", { name: "Your session is over" });
  await dialog.getByLabel("Token").fill(service.token("erin"));
  await dialog.getByRole("button", { name: "Sign in" }).click();

  expect(await sentence(page)).toBe("All 3 tests passed.");
  await page.getByRole("link", { name: "Submissions" }).click();
  await page.locator("tbody tr").first().waitFor();
  expect(await page.locator("tbody tr").count()).toBe(1);
  await context.close();
});
