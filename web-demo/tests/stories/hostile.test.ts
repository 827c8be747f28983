/** What others wrote is text: nothing of it runs, wherever it stands. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { closeBrowser, faults, profile, sentence, signedIn, submit, write } from "./support/browser";
import { Service, until } from "./support/service";

/** Each would set `window.hacked` if it ran. */
const CORPUS = [
  "<script>window.hacked=1</script>",
  "<img src=x onerror=window.hacked=1>",
  "<svg/onload=window.hacked=1>",
  "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
  "<a href='javascript:window.hacked=1'>x</a>",
  "<math><mtext></mtext><mglyph><style><!--</style><img title='--><img src=1 onerror=window.hacked=1>'>",
  "</code></pre><img src=x onerror=window.hacked=1>",
  "${window.hacked=1}{{window.hacked=1}}",
  "<style>@import 'javascript:window.hacked=1';*{display:none}</style>",
  "<form action=javascript:window.hacked=1><button>x</button></form>",
  "<object data=javascript:window.hacked=1></object><embed src=javascript:window.hacked=1>",
  "\u202e\u0000<b>\u001b[31m",
];
/** In Markdown, besides. */
const MARKDOWN = [
  "[click](javascript:window.hacked=1)",
  "[click](JaVaScRiPt:window.hacked=1)",
  "[click](data:text/html,<script>window.hacked=1</script>)",
  "![x](x\" onerror=\"window.hacked=1)",
  "[x]: javascript:window.hacked=1\n[x]",
  "<details open ontoggle=window.hacked=1>",
  "`</code><img src=x onerror=window.hacked=1>`",
];
/** What may stand in a name: one line without control characters. */
const NAME = "<img src=x onerror=window.hacked=1>";

const ESCAPED = CORPUS.filter((text) => !text.includes("\u0000"));

let service: Service;

const hostile = {
  title: `T ${NAME}`,
  statement: [...ESCAPED, ...MARKDOWN].join("\n\n"),
  kind: "stdio",
  runtimes: ["python", "c"],
  tests: ESCAPED.map((text, index) => ({ name: `${index} ${NAME}`, stdin: text, expected: `${text}\n`, visibility: "public" })),
};

beforeAll(async () => {
  service = await Service.start(1);
  await service.putExercise("hostile", hostile);
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
});

/** What of the page was made by what it showed. */
async function intruders(page: Page): Promise<unknown> {
  return page.evaluate(() => ({
    hacked: (window as unknown as { hacked?: number }).hacked,
    scripts: [...document.querySelectorAll("script")].map((script) => script.src).filter((src) => !src.includes("/assets/")),
    elements: document.querySelectorAll("main :is(iframe, object, embed, form[action], style, svg:not(.icon), math, base)").length,
    handlers: [...document.querySelectorAll("*")].filter((element) => [...element.attributes].some(({ name }) => name.startsWith("on"))).length,
    links: [...document.querySelectorAll<HTMLAnchorElement>("a[href]")].map((link) => link.protocol).filter((protocol) => !["http:", "https:", "mailto:"].includes(protocol)),
  }));
}

const CLEAN = { hacked: undefined, scripts: [], elements: 0, handlers: 0, links: [] };

test("statements, names, outputs and what compilers say are text and run nothing", async () => {
  const context = await profile();
  const page = await signedIn(context, `${service.url}exercises/hostile`, service.token("mallory"));
  expect(await page.locator("h1").textContent()).toBe(`T ${NAME}`);
  expect(await intruders(page)).toEqual(CLEAN);

  await page.getByLabel("Language").selectOption("python");
  await write(page, `import sys\ncorpus = ${JSON.stringify(CORPUS)}\nprint(*corpus, sep="\\n")\nprint(*corpus, sep="\\n", file=sys.stderr)\n`);
  await submit(page);
  expect(await sentence(page)).toContain(NAME);
  await page.locator("details.test").evaluateAll((all) => all.forEach((details) => details.setAttribute("open", "")));
  expect(await page.locator(".compare").first().textContent()).toContain("<script>window.hacked=1</script>");
  expect(await intruders(page)).toEqual(CLEAN);

  await page.getByLabel("Language").selectOption("c");
  await write(page, `${ESCAPED.map((text) => `#error ${text}`).join("\n")}\n`);
  await submit(page);
  await page.locator(".diagnostics").waitFor();
  expect(await page.locator(".diagnostics").textContent()).toContain("<script>window.hacked=1</script>");
  await page.locator(".cm-lint-marker-error").first().hover();
  await page.locator(".cm-tooltip-lint").waitFor();
  expect(await intruders(page)).toEqual(CLEAN);

  await page.goto(`${service.url}submissions`);
  expect(await page.locator("tbody").textContent()).toContain(NAME);
  await page.locator("tbody a").first().click();
  await page.getByRole("heading", { name: "Sources" }).waitFor();
  expect(await intruders(page)).toEqual(CLEAN);
  await page.goto(service.url);
  await page.getByRole("link", { name: NAME }).first().waitFor();
  expect(await intruders(page)).toEqual(CLEAN);
  // The sanitiser reads statements into a document that runs nothing; the browser also says that the policy would not let it.
  expect(faults.filter((fault) => !fault.startsWith("policy:"))).toEqual([]);
  await context.close();
});

test("what teachers, students and programs wrote is text in the teacher's views, too", async () => {
  const owner = `=${NAME}`;
  const id = await service.submit(owner, "hostile", `print(${JSON.stringify(ESCAPED.join("\n"))})\n`);
  await until("the end of a submission", () => service.state(owner, id), (state) => state === "finished");
  const context = await profile();
  const page = await signedIn(context, `${service.url}teach`, service.token("tina", "teacher"));
  await page.getByRole("link", { name: NAME }).waitFor();
  expect(await intruders(page)).toEqual(CLEAN);

  await page.getByRole("link", { name: NAME }).click();
  await page.locator(".preview").getByText("click").first().waitFor();
  expect(await page.locator("h1").textContent()).toBe(`T ${NAME}`);
  for (const name of ["Statement", "Tests", "Limits", "Checker", "Results", "Try"]) {
    await page.getByRole("tab", { name }).click();
    if (name === "Results") await page.getByRole("rowheader", { name: owner }).waitFor();
    if (name === "Tests") expect(await page.getByLabel(`Input, 0 ${NAME}`).inputValue()).toBe(CORPUS[0]);
    expect(await intruders(page)).toEqual(CLEAN);
  }
  await service.putExercise("hostile", { ...hostile, title: `U ${NAME}` });
  await page.getByRole("tab", { name: "Statement" }).click();
  await page.getByLabel("Title").fill(`V ${NAME}`);
  await page.keyboard.press("Control+s");
  await page.getByText("Changed by both: title.").waitFor();
  expect(await intruders(page)).toEqual(CLEAN);
  await context.close();
});

test("a subject that looks like markup is a name", async () => {
  const context = await profile();
  const page = await signedIn(context, service.url, service.token(NAME));

  expect(await page.locator(".subject").textContent()).toBe(NAME);
  expect(await intruders(page)).toEqual(CLEAN);
  await context.close();
});
