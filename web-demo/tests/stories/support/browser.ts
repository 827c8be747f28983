/** A browser without a window, and what a student does in it. */
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";

const PATIENCE_MS = 120_000;

let browser: Promise<Browser> | null = null;

/** The browser of this test file. */
export function launched(): Promise<Browser> {
  browser ??= chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return browser;
}

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = null;
}

/** What a page did that no page may do. */
export const faults: string[] = [];

/** A profile of its own: nothing is shared with others. */
export async function profile(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await (await launched()).newContext({ viewport: { width: 1400, height: 900 }, locale: "en-GB", ...options });
  // Generous: a machine may have much else to do.
  context.setDefaultTimeout(PATIENCE_MS);
  context.setDefaultNavigationTimeout(PATIENCE_MS);
  context.on("weberror", (error) => faults.push(`error: ${error.error().message}`));
  context.on("page", (page) => {
    page.on("dialog", (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      if (/Content Security Policy|Content-Security-Policy/.test(message.text())) faults.push(`policy: ${message.text()}`);
    });
  });
  return context;
}

/** Opens a view and signs in there. */
export async function signedIn(context: BrowserContext, url: string, token: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await page.locator("main h1").filter({ hasNotText: "Sign in" }).waitFor();
  return page;
}

/** Makes a session of another token in place of the page's, and loads it again. */
export async function withToken(page: Page, token: string): Promise<void> {
  await page.evaluate(async (token) => {
    const headers = { "Content-Type": "application/json" };
    await fetch(new URL("v1/session", document.baseURI), { method: "POST", headers, body: JSON.stringify({ token }) });
  }, token);
  await page.reload();
}

/** Puts a program into the editor in place of what it holds. */
export async function write(page: Page, program: string): Promise<void> {
  await page.bringToFront();
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+a");
  // As one insertion: typing would have brackets closed and lines indented.
  await page.keyboard.insertText(program);
}

export const code = (page: Page) => page.locator(".cm-content").evaluate((element) => (element as HTMLElement).innerText);

export const submit = (page: Page) => page.locator("#code").getByRole("button", { name: "Submit" }).click();

/** The one sentence of a result. */
export async function sentence(page: Page): Promise<string> {
  const element = page.locator(".sentence");
  await element.waitFor();
  return (await element.textContent()) ?? "";
}

/** Writes down each text that an element shows, from now on: `window.seen[name]`. */
export function record(page: Page, name: string, selector: string): Promise<void> {
  return page.evaluate(
    ([name, selector]) => {
      const all = ((window as unknown as { seen?: Record<string, string[]> }).seen ??= {});
      const seen: string[] = (all[name ?? ""] = []);
      const look = () => {
        const text = document.querySelector(selector ?? "")?.textContent ?? "";
        if (text !== "" && text !== seen.at(-1)) seen.push(text);
      };
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
    },
    [name, selector],
  );
}

export const recorded = (page: Page, name: string): Promise<string[]> =>
  page.evaluate((name) => (window as unknown as { seen: Record<string, string[]> }).seen[name] ?? [], name);
