/** The operator's view: hosts come and go, links, the last hour in figures and plots, and what it says while nothing comes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { overflow, tabTo, violations } from "./support/axe";
import { closeBrowser, faults, profile, signedIn } from "./support/browser";
import { patience, RIGHT, SUM, takes, WRONG } from "./support/exercises";
import { Service, until } from "./support/service";

let service: Service;

beforeAll(async () => {
  service = await Service.start(1);
  await service.putExercise("sum", SUM);
  await service.putExercise("patience", patience(1));
});

afterAll(async () => {
  await closeBrowser();
  await service.stop();
  expect(faults).toEqual([]);
});

const opened = async (context: Awaited<ReturnType<typeof profile>>, at = service): Promise<Page> => {
  const board = await signedIn(context, `${at.url}operate`, at.token("root", "admin"));
  await board.locator(".host").first().waitFor();
  return board;
};
const host = (board: Page, name: string) => board.getByRole("article", { name, exact: true });
const dialog = (board: Page) => board.getByRole("dialog");
const ended = (id: string, sub: string) => until("the end", () => service.state(sub, id), (state) => state === "finished");

/** How many points of each plot have a colour that the grid has not. */
const coloured = (board: Page): Promise<number[]> =>
  board.locator(".plot-place canvas").evaluateAll((canvases) =>
    canvases.map((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const { data } = (canvas as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.slice(at, at + 4) as unknown as [number, number, number, number];
        if (alpha > 40 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count++;
      }
      return count;
    }),
  );

/** Keeps pictures of the view, if a folder for them is named. */
async function picture(board: Page, name: string): Promise<void> {
  const folder = process.env["GUICHET_TEST_PICTURES"];
  if (folder) writeFileSync(join(folder, `${name}.png`), await board.screenshot({ fullPage: true }));
}

test("an operator adds a host, changes its slots, drains and removes it; what is wrong is said at its field", async () => {
  const context = await profile();
  const board = await opened(context);
  await board.getByRole("button", { name: "Add a host" }).click();
  await dialog(board).getByLabel("Name").fill("second");
  await dialog(board).getByLabel("Address").fill("http://judge-2.example");
  await dialog(board).getByRole("button", { name: "Add" }).click();
  await dialog(board).getByText("must be unix:///path or tcp://host:port").waitFor();
  expect(await board.evaluate(() => document.activeElement?.matches("[aria-invalid]"))).toBe(true);
  const described = await dialog(board).getByLabel("Address").getAttribute("aria-describedby");
  const fault = await dialog(board).locator(".fault", { hasText: "must be unix" }).getAttribute("id");
  expect(described?.split(" ")).toContain(fault);
  await dialog(board).getByLabel("Name").fill("Not a name");
  await dialog(board).getByLabel("Address").fill(service.otherAddress("second"));
  await dialog(board).getByRole("button", { name: "Add" }).click();
  await expect.poll(() => dialog(board).getByLabel("Name").getAttribute("aria-invalid")).toBe("true");
  expect(await dialog(board).getByLabel("Address").getAttribute("aria-invalid")).toBeNull();
  await dialog(board).getByLabel("Name").fill("host-1");
  await dialog(board).getByRole("button", { name: "Add" }).click();
  await dialog(board).locator(".field", { has: board.getByLabel("Name") }).locator(".fault").waitFor();
  await dialog(board).getByLabel("Name").fill("second");

  await dialog(board).getByRole("button", { name: "Add" }).click();

  await dialog(board).waitFor({ state: "hidden" });
  const second = host(board, "second");
  await second.getByText("healthy").waitFor();
  await second.getByText("0 of 1 slots busy").waitFor();
  await second.getByRole("button", { name: "Slots…" }).click();
  await dialog(board).getByLabel("Slots").fill("none");
  await dialog(board).getByRole("button", { name: "Save" }).click();
  await dialog(board).getByText("must be a whole number of at least 1").waitFor();
  await dialog(board).getByLabel("Slots").fill("2");
  await dialog(board).getByRole("button", { name: "Save" }).click();
  await second.getByText("0 of 2 slots busy").waitFor();
  await second.getByRole("button", { name: "Slots…" }).click();
  expect(await dialog(board).getByLabel("Slots").inputValue()).toBe("2");
  await dialog(board).getByLabel("Slots").fill("");
  await dialog(board).getByRole("button", { name: "Save" }).click();
  await second.getByText("0 of 1 slots busy").waitFor();
  await second.getByRole("button", { name: "Drain" }).click();
  await dialog(board).getByRole("button", { name: "Yes" }).click();
  await second.getByText(/is being emptied · runs nothing any more/).waitFor();
  expect(await host(board, "host-1").getByRole("button", { name: "Remove…" }).count()).toBe(0);
  await host(board, "host-1").getByText("Named in the settings").waitFor();
  await second.getByRole("button", { name: "Remove…" }).click();
  await dialog(board).getByText("Remove second? Nothing runs there").waitFor();
  await dialog(board).getByRole("button", { name: "Yes" }).click();
  await second.waitFor({ state: "detached" });
  expect(await board.evaluate(() => document.activeElement?.textContent)).toBe("Hosts");
  await context.close();
});

test("what begins on a host while its removal is asked about is not taken unasked; then it runs elsewhere", async () => {
  const context = await profile();
  await service.addHost("third", service.otherAddress("third"));
  const board = await opened(context);
  const third = host(board, "third");
  await third.getByText(/python: 1 warm/).waitFor();
  await service.setHostMode("host-1", "cordoned");
  await third.getByRole("button", { name: "Remove…" }).click();
  await dialog(board).getByText("Nothing runs there").waitFor();
  const id = await service.submit("mona", "patience", takes(5));
  await until("the run", () => service.state("mona", id), (state) => state === "running");

  await dialog(board).getByRole("button", { name: "Yes" }).click();
  await dialog(board).getByText(/queued again at its old place, and starts again elsewhere/).waitFor();
  await dialog(board).getByRole("button", { name: "Yes" }).click();

  await third.waitFor({ state: "detached" });
  await until("its old place", () => service.state("mona", id), (state) => state === "queued");
  await host(board, "host-1").getByRole("button", { name: "Activate" }).click();
  await ended(id, "mona");
  await context.close();
});

test("a host that cannot be reached takes nothing from the view", async () => {
  const context = await profile();
  await service.addHost("nowhere", "unix:///nonexistent/docker.sock");
  const board = await opened(context);
  const nowhere = host(board, "nowhere");
  await nowhere.getByText("cannot be reached", { exact: true }).waitFor();
  await nowhere.getByText("no slots while it is not connected").waitFor();
  await nowhere.getByText(/next attempt at/).waitFor();

  await nowhere.getByRole("button", { name: "Cordon" }).click();

  await nowhere.getByText(/takes nothing new/).waitFor();
  await host(board, "host-1").getByText("healthy").waitFor();
  await nowhere.getByRole("button", { name: "Remove…" }).click();
  await dialog(board).getByRole("button", { name: "Yes" }).click();
  await nowhere.waitFor({ state: "detached" });
  await context.close();
});

test("the last hour is there in figures, plots and a table, also after a reload", async () => {
  const context = await profile();
  const board = await opened(context);
  const ids = await Promise.all(["ann", "ben", "cem"].map(async (sub, index) => ({ sub, id: await service.submit(sub, "sum", index === 0 ? WRONG : RIGHT) })));
  await Promise.all(ids.map(({ sub, id }) => ended(id, sub)));

  const look = async () => {
    await board.locator(".figures", { hasText: /[3-9] verdicts/ }).waitFor();
    await board.locator(".figures dd").filter({ hasText: /^[\d.,]+\s(ms|s)$/ }).waitFor();
    await board.locator(".plot-place canvas").nth(2).waitFor();
    await expect.poll(async () => (await coloured(board)).slice(1).every((points) => points > 20)).toBe(true);
  };
  await look();
  await board.reload();
  await look();

  const places = board.locator(".plot-place .u-over");
  const box = (await places.nth(1).boundingBox())!;
  await places.nth(1).hover({ position: { x: box.width - 4, y: box.height / 2 } });
  await board.locator(".hour-head").getByText(/^At \d/).waitFor();
  const shifts = await board.locator(".u-cursor-x").evaluateAll((lines) => lines.map((line) => (line as HTMLElement).style.transform));
  expect(new Set(shifts).size).toBe(1);
  await board.mouse.move(0, 0);
  await board.getByText("The newest minute", { exact: true }).waitFor();
  await board.getByText("As a table").click();
  const verdicts = async () => (await board.locator(".hour tbody tr td:nth-child(5)").allTextContents()).reduce((sum, text) => sum + Number(text), 0);
  await expect.poll(verdicts).toBeGreaterThanOrEqual(3);
  await board.getByText(/^Known since .*: that is when the service started\.$/).waitFor();
  expect(await board.locator(".plot", { hasText: "Each minute" }).locator(".unseen").textContent()).toMatch(/verdicts and \d+ faults? in all/);
  await context.close();
});

test("figures go grey with their age when the service dies, and come back with it", async () => {
  const context = await profile();
  const board = await opened(context);
  const queued = board.locator(".figures dd.figure").first();
  await board.locator(".plot-place canvas").nth(2).waitFor();
  const colour = () => queued.evaluate((element) => getComputedStyle(element).color);
  const lively = await colour();

  await service.kill();
  await board.getByText(/These figures are \d+\ss old\./).waitFor();
  expect(await colour()).not.toBe(lively);
  expect(await board.locator(".plot-place").first().evaluate((element) => getComputedStyle(element).filter)).toBe("grayscale(1)");
  await service.restart();

  await board.getByText(/These figures are/).waitFor({ state: "hidden" });
  expect(await colour()).toBe(lively);
  await host(board, "host-1").getByText("healthy").waitFor();
  const id = await service.submit("dan", "sum", RIGHT);
  await ended(id, "dan");
  await board.locator(".figures", { hasText: "1 verdict" }).waitFor();
  await context.close();
});

test("links to original backends are listed with what went wrong; without any, the view says what they are for", async () => {
  const context = await profile();
  const board = await opened(context);
  await board.getByText("No link is set up.").waitFor();
  await context.close();
  const file = '[[legacy.backends]]\nname = "moodle"\nhost = "127.0.0.1"\ntcp_port = 9\ntoken = "none"\n';
  const linked = await Service.start(1, {}, file);
  const others = await profile();

  const links = await opened(others, linked);

  const row = links.getByRole("table", { name: "Links to original backends" }).getByRole("row").nth(1);
  await row.getByText("waits before it tries again").waitFor();
  const cells = (await row.getByRole("cell").allTextContents()).map((text) => text.trim());
  expect(cells.slice(0, 2)).toEqual(["moodle", "127.0.0.1:9"]);
  expect(cells[3]).toBe("not known yet");
  expect(cells[5]).toMatch(/refused/i);
  await others.close();
  await linked.stop();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`axe finds nothing wrong, and nothing is cut off on a phone, ${colorScheme}`, async () => {
    const [desks, phones] = [await profile({ colorScheme }), await profile({ colorScheme, viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })];
    const found: string[] = [];
    for (const [name, context] of [["desktop", desks], ["phone", phones]] as const) {
      const board = await opened(context);
      await board.locator(".plot-place canvas").nth(2).waitFor();
      await board.getByText("As a table").click();
      await board.locator("summary", { hasText: "Containers" }).click();
      await board.locator(".host tbody tr").first().waitFor();
      await picture(board, `${name}-${colorScheme}`);
      found.push(...(await violations(board)));
      expect(await overflow(board)).toBe(0);
      const cut = await board.locator(".host .scroll").evaluate((element) => element.scrollWidth - element.clientWidth);
      if (name === "phone") expect(cut).toBe(0);
      await board.getByRole("button", { name: "Add a host" }).click();
      await dialog(board).getByLabel("Address").fill("nowhere");
      await dialog(board).getByRole("button", { name: "Add" }).click();
      await dialog(board).locator("[aria-invalid]").first().waitFor();
      await picture(board, `${name}-${colorScheme}-add`);
      found.push(...(await violations(board)));
      expect(await overflow(board)).toBe(0);
    }
    await desks.close();
    await phones.close();
    expect(found).toEqual([]);
  });
}

test("the keyboard alone adds a host, and it speaks French to who asks for it", async () => {
  const context = await profile({ locale: "fr-FR" });
  const page = await context.newPage();
  await page.goto(`${service.url}operate`);
  await page.getByLabel("Jeton").fill(service.token("root", "admin"));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "La dernière heure" }).waitFor();
  await page.locator(".host").first().waitFor();
  await tabTo(page, ".section-head button");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Ajouter un hôte Docker" }).waitFor();
  await page.keyboard.insertText("clavier");
  await page.keyboard.press("Tab");
  await page.keyboard.insertText("unix:///nonexistent/clavier.sock");

  await page.keyboard.press("Enter");

  const card = page.getByRole("article", { name: "clavier" });
  await card.getByText("injoignable").waitFor();
  await card.getByRole("button", { name: "Retirer…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Oui" }).click();
  await card.waitFor({ state: "detached" });
  await context.close();
});
