/** How people come in and go out: links of a platform, cookies of one browser, several tabs, a proxy's prefix. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import type { AxeResults } from "axe-core";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeBrowser, code, faults, profile, sentence, signedIn, submit, write } from "./support/browser";
import { patience, RIGHT, SUM, takes } from "./support/exercises";
import { below } from "./support/proxy";
import { Service, until } from "./support/service";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let service: Service;

beforeAll(async () => {
  service = await Service.start(2);
  await service.putExercise("sum", SUM);
  await service.putExercise("patience", patience(3));
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
  expect(faults).toEqual([]);
});

const session = async (context: BrowserContext) => (await context.cookies()).filter(({ name }) => name === "guichet_session");

/** What scripts of the page can read of what proves its user. */
const readable = (page: Page) => page.evaluate(() => JSON.stringify([document.cookie, { ...sessionStorage }, Object.keys(localStorage)]));

for (const colorScheme of ["light", "dark"] as const) {
  test(`a link that a platform made lands signed in where it says, once, ${colorScheme}`, async () => {
    const context = await profile({ colorScheme });
    const page = await context.newPage();
    const link = await service.signInLink({ sub: `linked-${colorScheme}`, role: "student", path: "/exercises/sum" });
    await page.goto(link);
    await page.getByText(`linked-${colorScheme}`).waitFor();
    expect(await session(context)).toEqual([]);
    await page.evaluate(AXE);
    const results = await page.evaluate(async () => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
    expect(results.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ""}`)).toEqual([]);

    await page.getByRole("button", { name: "Sign in" }).click();

    await page.waitForURL(`${service.url}exercises/sum`);
    await page.locator(".subject", { hasText: `linked-${colorScheme}` }).waitFor();
    await write(page, RIGHT);
    await submit(page);
    expect(await sentence(page)).toBe("All 3 tests passed.");
    expect(await session(context)).toMatchObject([{ httpOnly: true, sameSite: "Strict", secure: false, path: "/v1" }]);
    const second = await context.newPage();
    await second.goto(link);
    await second.getByRole("heading", { name: "This link is over" }).waitFor();
    await second.getByRole("link", { name: "Sign in with a token" }).click();
    await second.locator(".subject", { hasText: `linked-${colorScheme}` }).waitFor();
    await context.close();
  });
}

test("a token that was pasted lies nowhere where a script could read it", async () => {
  const context = await profile();
  const token = service.token("walter");
  const page = await signedIn(context, service.url, token);

  expect(await readable(page)).not.toContain(token.slice(0, 20));
  expect(await readable(page)).not.toContain("guichet_session");
  await page.reload();
  await page.locator(".subject", { hasText: "walter" }).waitFor();
  await context.close();
});

test("signing out ends the session itself: the cookie of before is worth nothing, and the stream is gone", async () => {
  const context = await profile();
  const page = await signedIn(context, service.url, service.token("victor"));
  const before = await session(context);
  await until("the stream", () => service.metric("guichet_streams_open"), (open) => open === 1);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();

  expect(await session(context)).toEqual([]);
  await until("the end of the stream", () => service.metric("guichet_streams_open"), (open) => open === 0);
  await context.addCookies(before);
  await page.goto(service.url);
  await page.getByText("Your session is over: sign in again.").waitFor();
  await context.close();
});

test("a link in one tab signs in the others that wait, and takes those of another along", async () => {
  const context = await profile();
  const [waiting, linked] = [await context.newPage(), await context.newPage()];
  await waiting.goto(`${service.url}exercises/sum`);
  await waiting.getByLabel("Token").waitFor();
  const press = async (sub: string) => {
    await linked.goto(await service.signInLink({ sub, role: "student" }));
    await linked.getByRole("button", { name: "Sign in" }).click();
    await linked.locator(".subject", { hasText: sub }).waitFor();
  };

  await press("ursula");
  await waiting.locator(".subject", { hasText: "ursula" }).waitFor();
  await write(waiting, "# written by ursula\n");
  await waiting.getByText("Kept in this browser").waitFor();
  await press("trudy");

  await waiting.locator(".subject", { hasText: "trudy" }).waitFor();
  await waiting.getByRole("link", { name: "Sum" }).click();
  await waiting.locator(".cm-content").waitFor();
  expect(await code(waiting)).not.toContain("ursula");
  await context.close();
});

test("a session that is over in the middle loses no text, and a link in another tab goes on with it", async () => {
  const context = await profile();
  const page = await context.newPage();
  const link = (session_ttl_s: number) => service.signInLink({ sub: "sybil", role: "student", path: "/exercises/patience", session_ttl_s });
  await page.goto(await link(30));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".cm-content").waitFor();
  await write(page, takes(0.1));
  const dialog = page.getByRole("dialog", { name: "Your session is over" });
  await dialog.waitFor();

  const other = await context.newPage();
  await other.goto(await link(600));
  await other.getByRole("button", { name: "Sign in" }).click();

  await dialog.waitFor({ state: "hidden" });
  expect(await code(page)).toContain("time.sleep(0.1)");
  await submit(page);
  expect(await sentence(page)).toBe("All 3 tests passed.");
  await context.close();
});

test("a link works below a path of a proxy, and its cookie stays there", async () => {
  const proxy = await below(service.url);
  const context = await profile();
  const page = await context.newPage();
  const link = await service.signInLink({ sub: "rupert", role: "student", path: "/exercises/sum" });
  await page.goto(link.replace(service.url, proxy.url));
  await page.getByRole("button", { name: "Sign in" }).click();

  await page.waitForURL(`${proxy.url}exercises/sum`);
  await page.locator(".subject", { hasText: "rupert" }).waitFor();
  expect((await session(context)).map(({ path }) => path)).toEqual(["/school/guichet/v1"]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  expect(await session(context)).toEqual([]);
  await context.close();
  await proxy.close();
});

test("who signs out while nothing answers is signed out as soon as it does", async () => {
  const context = await profile();
  const page = await signedIn(context, service.url, service.token("quentin"));
  await service.kill();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.locator(".connection").waitFor();
  await service.restart();

  await page.getByLabel("Token").waitFor();
  expect(await session(context)).toEqual([]);
  await context.close();
});

test("a page of another origin, also one of the same machine, does nothing with the session and signs no one in", async () => {
  const context = await profile();
  await signedIn(context, service.url, service.token("peggy"));
  const before = await session(context);
  const link = await service.signInLink({ sub: "mallory", role: "student" });
  const evil = createServer((_request, answer) => answer.setHeader("Content-Type", "text/html").end("<h1>Evil</h1>"));
  await new Promise<void>((done) => evil.listen(0, "127.0.0.1", done));
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);

  // Browsers send the cookie: another port is the same site.
  const answers = await page.evaluate(
    async ([own, link, token]) => {
      const ask = async (address: string, request: RequestInit) =>
        (await fetch(address, { credentials: "include", ...request }).catch(() => null))?.type ?? "blocked";
      return [
        await ask(`${own}v1/me`, {}),
        await ask(`${own}v1/me`, { mode: "no-cors" }),
        await ask(`${own}v1/session`, { method: "DELETE", headers: { "X-Guichet-Page": "1" } }),
        await ask(`${own}v1/session`, { method: "POST", mode: "no-cors", body: JSON.stringify({ token }) }),
        await ask(link, { method: "POST", mode: "no-cors" }),
      ];
    },
    [service.url, link, service.token("mallory")] as const,
  );
  await page.evaluate((link) => {
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: link });
    document.body.append(form);
    form.submit();
  }, link);
  await page.getByText("a page of another origin may sign no one in").waitFor();

  expect(answers).toEqual(["blocked", "opaque", "blocked", "opaque", "opaque"]);
  expect(await session(context)).toEqual(before);
  await page.goto(link);
  await page.getByText("mallory").waitFor();
  await page.goto(service.url);
  await page.locator(".subject", { hasText: "peggy" }).waitFor();
  await context.close();
  evil.close();
});
