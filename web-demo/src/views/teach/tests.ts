/** The tests of an exercise as a table: typed, taken in from files, in the order that the teacher wants. */
import { announce } from "../../dom/announce";
import { fill, freshId, h, say } from "../../dom/h";
import { t } from "../../texts";
import { tt } from "../../texts/teach";
import { area, box, choice, input, type Places, ticked } from "../../parts/fields";
import { textControl } from "./long-text";
import { merged, pairs, read } from "./pairs";
import { pasteBox } from "./paste-box";
import { pasted } from "./pasted";
import { freshName, moved, newTest, shown, typed, type Work, type WorkTest } from "./work";

/** Characters shown of what was left out. */
const LEFT_SHOWN = 40;

/** What a row's controls are found by. */
type Field = "name" | "args" | "stdin" | "expected" | "weight" | "visibility" | "up" | "down" | "remove";

export class TestsPart implements Places {
  readonly node = h("div", { class: "stack" });
  private readonly head = h("tr");
  private readonly body = h("tbody");
  private readonly table = h("table", { class: "rows cases" }, h("caption", { class: "unseen" }, tt.tests.caption), h("thead", {}, this.head), this.body);
  private readonly none = h("p", { class: "quiet" }, tt.tests.none);
  private readonly count = h("p", { class: "quiet figure" });
  private readonly told = h("p", { class: "note" });
  private readonly add = h("button", { type: "button", on: { click: () => this.addTest() } }, tt.tests.add);
  private readonly withArgs = box("checkbox", false, () => this.showRows());

  constructor(
    private work: Work,
    private readonly changed: () => void,
  ) {
    const words = tt.tests;
    const picker = h("input", { type: "file", multiple: true, id: freshId("files"), class: "unseen", tabindex: -1 });
    picker.addEventListener("change", () => {
      void this.takeIn([...(picker.files ?? [])]);
      picker.value = "";
    });
    const pick = h("button", { type: "button", on: { click: () => picker.click() } }, words.files);
    picker.setAttribute("aria-label", words.files);
    fill(
      this.node,
      h("p", { class: "quiet" }, words.lead),
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": words.caption }, this.table),
      this.none,
      this.count,
      h("p", { class: "actions" }, this.add, pick, picker),
      h("p", { class: "note" }, words.filesHint),
      pasteBox((text) => this.takePasted(text)),
      this.told,
      ticked(words.withArgs, this.withArgs),
    );
    this.takeDrops();
    this.show(work);
  }

  show(work: Work): void {
    this.work = work;
    this.withArgs.checked = work.tests.some(({ args }) => args.length > 0);
    this.showRows();
  }

  place(pointer: string): HTMLElement | null {
    const [, index, field] = /^\/tests\/(\d+)(?:\/(\w+))?/.exec(pointer) ?? [];
    if (index !== undefined) return this.control(Number(index), (field?.replace("_base64", "") ?? "name") as Field) ?? this.control(Number(index), "name");
    return pointer === "/tests" ? this.add : null;
  }

  private control(index: number, field: Field): HTMLElement | null {
    return this.body.children[index]?.querySelector<HTMLElement>(`[data-field="${field}"]`) ?? null;
  }

  private showRows(): void {
    const { tests } = this.work;
    const words = tt.tests;
    const columns = [words.number, words.name, words.stdin, ...(this.withArgs.checked ? [words.args] : []), words.expected, words.weight, words.visibility, words.actions];
    fill(this.head, ...columns.map((column) => h("th", { scope: "col" }, column)));
    fill(this.body, ...tests.map((test, index) => this.row(test, index)));
    this.table.hidden = tests.length === 0;
    this.none.hidden = tests.length > 0;
    this.showCount();
  }

  private showCount(): void {
    const { tests } = this.work;
    const points = tests.reduce((sum, { weight }) => sum + (typeof weight === "number" ? weight : 0), 0);
    say(this.count, tests.length > 0 ? tt.tests.count(tests.length, points) : "");
  }

  private change(act: () => void): void {
    act();
    // That there are too few, or too many, is told at the button.
    this.add.dispatchEvent(new Event("forgiven"));
    this.showCount();
    this.changed();
  }

  private row(test: WorkTest, index: number): HTMLElement {
    const words = tt.tests;
    const of = (label: string) => words.of(label, test.name || String(index + 1));
    const name = input(test.name, (value) => this.change(() => (test.name = value)), { "aria-label": of(words.name) });
    const weight = input(shown(test.weight), (value) => this.change(() => (test.weight = typed(value) ?? "")), { "aria-label": of(words.weight), inputmode: "numeric" });
    const visibility = choice([["public", words.public], ["hidden", words.hidden]], test.visibility, (value) =>
      this.change(() => (test.visibility = value as WorkTest["visibility"])),
    );
    visibility.setAttribute("aria-label", of(words.visibility));
    const stdin = textControl({ label: of(words.stdin), text: test.stdin, base64: test.stdin_base64, changed: (text) => this.change(() => (test.stdin = text)) });
    const expected = textControl({ label: of(words.expected), text: test.expected, base64: test.expected_base64, changed: (text) => this.change(() => (test.expected = text)) });
    const cell = (field: Field, label: string, control: HTMLElement) => {
      control.dataset.field = field;
      return h("td", { "data-label": label, class: `of-${field}` }, control);
    };
    return h(
      "tr",
      {},
      h("td", { class: "figure of-number" }, t.format.number(index + 1)),
      cell("name", words.name, name),
      cell("stdin", words.stdin, stdin),
      this.withArgs.checked ? cell("args", words.args, this.argsControl(test, of(words.args))) : null,
      cell("expected", words.expected, expected),
      cell("weight", words.weight, weight),
      cell("visibility", words.visibility, visibility),
      h("td", { class: "of-actions" }, ...this.actions(test, index)),
    );
  }

  private argsControl(test: WorkTest, label: string): HTMLElement {
    return area(test.args.join("\n"), (value) => this.change(() => (test.args = value === "" ? [] : value.split("\n"))), { rows: 2, "aria-label": label });
  }

  private actions(test: WorkTest, index: number): HTMLElement[] {
    const words = tt.tests;
    const name = test.name || String(index + 1);
    const button = (field: Field, sign: string, label: string, isOff: boolean, act: () => void) =>
      h("button", { type: "button", class: "plain", "data-field": field, "aria-label": label, title: label, "aria-disabled": isOff ? "true" : null, on: { click: () => !isOff && act() } }, sign);
    return [
      button("up", "↑", words.up(name), index === 0, () => this.move(index, -1)),
      button("down", "↓", words.down(name), index === this.work.tests.length - 1, () => this.move(index, 1)),
      button("remove", "×", words.remove(name), false, () => this.remove(index)),
    ];
  }

  private addTest(): void {
    this.change(() => this.work.tests.push(newTest(freshName(this.work.tests))));
    this.showRows();
    this.control(this.work.tests.length - 1, "stdin")?.focus();
  }

  private move(from: number, step: -1 | 1): void {
    const { tests } = this.work;
    const test = tests[from];
    this.change(() => (this.work.tests = moved(tests, from, step)));
    this.showRows();
    this.control(from + step, step < 0 ? "up" : "down")?.focus();
    if (test) announce(tt.tests.place(test.name, from + step + 1, tests.length));
  }

  private remove(index: number): void {
    const gone = this.work.tests[index];
    this.change(() => (this.work.tests = this.work.tests.filter((_, other) => other !== index)));
    this.showRows();
    const next = this.control(Math.min(index, this.work.tests.length - 1), "remove") ?? this.add;
    next.focus();
    if (gone) announce(tt.tests.removed(gone.name));
  }

  private takeDrops(): void {
    const isFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    this.node.addEventListener("dragover", (event) => {
      if (!isFiles(event)) return;
      event.preventDefault();
      this.node.classList.add("dropping");
    });
    for (const name of ["dragleave", "drop"] as const) this.node.addEventListener(name, () => this.node.classList.remove("dropping"));
    this.node.addEventListener("drop", (event) => {
      if (!isFiles(event)) return;
      event.preventDefault();
      void this.takeIn([...(event.dataTransfer?.files ?? [])]);
    });
  }

  private async takeIn(files: File[]): Promise<void> {
    const { tests, left } = pairs(await read(files), this.work.tests);
    this.taken(tests, left.length > 0 ? tt.tests.left(left) : "");
  }

  private takePasted(text: string): boolean {
    const { tests, left } = pasted(text, this.work.tests);
    this.taken(tests, left.length > 0 ? tt.tests.pasteLeft(left.map((piece) => piece.slice(0, LEFT_SHOWN))) : "");
    return left.length === 0;
  }

  private taken(tests: WorkTest[], left: string): void {
    if (tests.length > 0) this.change(() => (this.work.tests = merged(this.work.tests, tests)));
    this.showRows();
    const text = [tt.tests.taken(tests.length), left].filter((part) => part !== "").join(" ");
    say(this.told, text);
    announce(text);
  }
}
