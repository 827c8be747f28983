/** That the page is for all: screen readers, keyboards, themes, languages, narrow screens, slow lines, odd addresses. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { overflow, tabTo, violations } from "./support/axe";
import { closeBrowser, faults, profile, sentence, signedIn, submit, write } from "./support/browser";
import { BROKEN_C, patience, RIGHT, SUM, takes, WRONG } from "./support/exercises";
import { below } from "./support/proxy";
import { Service } from "./support/service";

/** The most that a view with the editor may take on the line, packed, without languages. */
const FIRST_LOAD_BYTES = 150_000;

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

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing wrong in any view, ${colorScheme}`, async () => {
    const context = await profile({ colorScheme });
    const found: string[] = [];
    const look = async (page: Page) => void found.push(...(await violations(page)));
    const stranger = await context.newPage();
    await stranger.goto(`${service.url}sign-in`);
    await stranger.getByLabel("Token").waitFor();
    await look(stranger);
    const student = `axe-${colorScheme}`;
    const page = await signedIn(context, `${service.url}exercises/sum`, service.token(student));
    await look(page);
    await write(page, WRONG);
    await submit(page);
    await sentence(page);
    await page.locator("details.test summary").nth(2).click();
    await look(page);
    await page.getByLabel("Language").selectOption("c");
    await write(page, BROKEN_C);
    await submit(page);
    await page.locator(".diagnostics").waitFor();
    await look(page);
    await page.goto(`${service.url}exercises/patience`);
    await write(page, takes(2));
    const other = await service.submit(`${student}-other`, "patience", takes(1));
    await submit(page);
    await page.locator(".place").waitFor();
    await look(page);
    await page.locator('[data-test="1"]').waitFor();
    await look(page);
    for (const path of ["", "run", "submissions", "nothing/here", "operate"]) {
      await page.goto(service.url + (path === "nothing/here" ? "exercises/none" : path));
      await page.locator("main h1").waitFor();
      await look(page);
    }
    await page.getByRole("button", { name: "Keys" }).click();
    await page.getByRole("dialog").waitFor();
    await look(page);
    await page.goto(`${service.url}submissions`);
    await page.locator("tbody a").last().click();
    await page.getByRole("heading", { name: "Sources" }).waitFor();
    await look(page);
    await context.close();
    const admins = await profile({ colorScheme });
    const board = await signedIn(admins, `${service.url}operate`, service.token("root", "admin"));
    await board.locator(".host").waitFor();
    await board.getByText("Containers").click();
    await board.locator(".host table, .host .quiet").first().waitFor();
    await look(board);
    await admins.close();
    expect(found).toEqual([]);
    expect(other).not.toBe("");
  });
}

test("the keyboard alone does the whole story", async () => {
  const context = await profile();
  const page = await context.newPage();
  await page.goto(service.url);
  await page.getByLabel("Token").waitFor();
  await page.keyboard.insertText(service.token("keys"));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Exercises" }).waitFor();
  await tabTo(page, 'a[href$="exercises/sum"]');
  await page.keyboard.press("Enter");
  await page.locator(".cm-content").waitFor();
  await tabTo(page, ".cm-content");
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(WRONG);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.closest(".cm-editor"))).toBeNull();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Control+Shift+Enter");
  expect(await sentence(page)).toContain("0 of 3 tests passed");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  await tabTo(page, "details.test summary");
  await page.keyboard.press("Tab");
  await tabTo(page, "details.test:not([open]) summary");
  await page.keyboard.press("Enter");
  expect(await page.locator("details.test[open]").count()).toBe(2);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await context.close();
});

test("news are read out: the start, a failed test, the end", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("ears"));
  await write(page, WRONG);
  await page.evaluate(() => {
    const told: string[] = ((window as unknown as { told: string[] }).told = []);
    const region = document.querySelector('[role="status"].unseen');
    if (region) new MutationObserver(() => told.push(region.textContent ?? "")).observe(region, { childList: true });
  });

  await submit(page);
  await sentence(page);

  const told = await page.evaluate(() => (window as unknown as { told: string[] }).told);
  expect(told).toContain("Sending…");
  expect(told).toContain("Finished: 0 of 3 tests passed; “small” printed something else than was expected.");
  await context.close();
});

test("it speaks French to who asks for it", async () => {
  const context = await profile({ locale: "fr-FR" });
  const page = await context.newPage();
  await page.goto(service.url);
  await page.getByLabel("Jeton").fill(service.token("louis"));
  await page.getByRole("button", { name: "Se connecter" }).click();
  await page.getByRole("heading", { name: "Exercices" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("fr");
  await page.getByRole("link", { name: "Sum" }).click();
  await write(page, WRONG);

  await page.locator("#code").getByRole("button", { name: "Soumettre" }).click();

  expect(await sentence(page)).toBe("0 test réussi sur 3 ; « small » a écrit autre chose que ce qui était attendu.");
  await context.close();
});

test("on a phone nothing is cut off, and the button is always in reach", async () => {
  const context = await profile({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("mobile"));
  expect(await overflow(page)).toBe(0);
  await write(page, RIGHT);

  await page.locator(".bottom").getByRole("button", { name: "Submit" }).tap();

  expect(await sentence(page)).toBe("All 3 tests passed.");
  expect(await overflow(page)).toBe(0);
  for (const path of ["", "submissions", "run"]) {
    await page.goto(service.url + path);
    await page.locator("main h1").waitFor();
    expect(await overflow(page)).toBe(0);
  }
  await context.close();
});

test("who wants less motion gets none", async () => {
  const context = await profile({ reducedMotion: "reduce" });
  const page = await signedIn(context, `${service.url}exercises/sum`, service.token("calm"));

  const moving = await page.evaluate(() =>
    [...document.querySelectorAll("body, body *")].filter((element) => {
      const { transitionDuration, animationName } = getComputedStyle(element);
      return (transitionDuration !== "0s" && !element.closest(".cm-editor")) || (animationName !== "none" && !element.closest(".cm-editor"));
    }).map((element) => element.outerHTML.slice(0, 100)),
  );

  expect(moving).toEqual([]);
  await context.close();
});

test("first views are small, and languages of the editor come when they are needed", async () => {
  const [students, teachers, admins] = [await profile(), await profile(), await profile()];
  await signedIn(students, service.url, service.token("slow"));
  await signedIn(admins, service.url, service.token("root", "admin"));
  await signedIn(teachers, service.url, service.token("tina", "teacher"));
  /** What a view loads with nothing kept: bytes as they come on the line. */
  const load = async (path: string, ready: string, context = students) => {
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    const loaded: Promise<{ name: string; bytes: number }>[] = [];
    page.on("requestfinished", (request) => {
      const name = new URL(request.url()).pathname;
      if (name.includes("/v1/")) return;
      loaded.push(request.sizes().then(({ responseBodySize }) => ({ name, bytes: responseBodySize })));
    });
    const language = path !== "exercises/sum" ? null : page.waitForEvent("requestfinished", (request) => request.url().includes("/language-"));
    await page.goto(service.url + path);
    await page.locator(ready).waitFor();
    await language;
    const all = await Promise.all(loaded);
    await page.close();
    const isLanguage = ({ name }: { name: string }) => name.includes("/language-");
    const total = all.filter((one) => !isLanguage(one)).reduce((sum, { bytes }) => sum + bytes, 0);
    return { total, languages: all.filter(isLanguage).length, all: JSON.stringify(all) };
  };

  const home = await load("", "main h1");
  const exercise = await load("exercises/sum", ".cm-content");
  const desk = await load("teach/sum", ".preview strong", teachers);
  const board = await load("operate", ".plot:last-of-type canvas", admins);

  expect(home.languages, home.all).toBe(0);
  expect(home.total, home.all).toBeLessThanOrEqual(FIRST_LOAD_BYTES / 5);
  expect(exercise.total, exercise.all).toBeGreaterThan(home.total);
  expect(exercise.total, exercise.all).toBeLessThanOrEqual(FIRST_LOAD_BYTES);
  // The editor comes with the tab that needs it, and nothing of the teacher's views with a student's.
  expect(desk.total, desk.all).toBeLessThanOrEqual(FIRST_LOAD_BYTES / 2);
  expect(board.total, board.all).toBeLessThanOrEqual(FIRST_LOAD_BYTES / 2);
  expect(`${home.all}${exercise.all}`).not.toMatch(/teach|operate|plots/);
  await admins.close();
  await students.close();
  await teachers.close();
});

test("it works below a path of a proxy", async () => {
  const proxy = await below(service.url);
  const context = await profile();
  const page = await signedIn(context, `${proxy.url}exercises/sum`, service.token("prefix"));
  await write(page, RIGHT);

  await submit(page);

  expect(await sentence(page)).toBe("All 3 tests passed.");
  await page.getByRole("link", { name: "Submissions" }).click();
  await page.locator("tbody tr").waitFor();
  expect(page.url()).toBe(`${proxy.url}submissions`);
  await page.reload();
  await page.locator("tbody a").click();
  await page.getByRole("heading", { name: "Sources" }).waitFor();
  await context.close();
  await proxy.close();
});
