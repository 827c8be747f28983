/** Title, languages, the statement with its preview, the files that students start with. */
import type { Runtime } from "../../api/types";
import { fill, freshId, h } from "../../dom/h";
import { markdown } from "../../parts/markdown";
import { tt } from "../../texts/teach";
import { area, box, forgive, group, input, labelled, type Places, ticked } from "../../parts/fields";
import type { Work } from "./work";

/** How long after a change the preview follows. */
const PREVIEW_AFTER_MS = 200;

export class StatementPart implements Places {
  readonly node = h("div", { class: "stack" });
  private readonly preview = h("div", { class: "statement-text preview" });
  private readonly starters = h("div", { class: "stack" });
  private title = h("input");
  private text = h("textarea");
  private languages = h("fieldset");
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private work: Work,
    private readonly runtimes: Runtime[],
    private readonly changed: () => void,
  ) {
    this.show(work);
  }

  show(work: Work): void {
    this.work = work;
    const words = tt.statement;
    this.title = input(work.title, (title) => this.change({ title }), { maxlength: 255, required: "" });
    this.text = area(work.statement, (statement) => this.write(statement), { rows: 18, spellcheck: "true" });
    this.languages = group(words.runtimes, ...this.runtimeBoxes());
    const heading = h("h2", { id: freshId("preview") }, words.preview);
    const shown = h("section", { class: "stack", "aria-labelledby": heading.id }, heading, this.preview);
    fill(
      this.node,
      labelled(words.title, this.title),
      this.languages,
      h("div", { class: "beside" }, labelled(words.statement, this.text, words.statementHint), shown),
      h("section", { class: "stack" }, h("h2", {}, words.starters), this.starters, h("p", {}, this.addButton())),
    );
    this.showPreview();
    this.showStarters();
  }

  place(pointer: string): HTMLElement | null {
    if (pointer === "/title") return this.title;
    if (pointer === "/statement") return this.text;
    if (pointer.startsWith("/runtimes")) return this.languages.querySelector("input");
    const [, index, field] = /^\/starter_files\/(\d+)(?:\/(\w+))?/.exec(pointer) ?? [];
    if (index !== undefined) {
      const item = this.starters.children[Number(index)];
      return item?.querySelector(field === "content" ? "textarea" : "input") ?? null;
    }
    return pointer.startsWith("/starter_files") ? this.node.querySelector<HTMLElement>(".add-starter") : null;
  }

  private change(fields: Partial<Work>): void {
    Object.assign(this.work, fields);
    this.changed();
  }

  private runtimeBoxes(): HTMLElement[] {
    const { runtimes } = this.work;
    // Those that the service has no more stay to be taken away.
    const gone = runtimes.filter((id) => !this.runtimes.some((known) => known.id === id)).map((id) => ({ id, name: id, ready: false }));
    return [...this.runtimes, ...gone].map(({ id, name, ready }) =>
      ticked(ready ? name : `${name} (${tt.statement.notReady})`, box("checkbox", runtimes.includes(id), (isOn) => this.allow(id, isOn), { value: id })),
    );
  }

  private allow(id: string, isOn: boolean): void {
    // What is wrong is told at the first of them, whichever is changed.
    forgive(this.languages);
    const order = this.runtimes.map((known) => known.id);
    const others = this.work.runtimes.filter((known) => known !== id);
    const runtimes = isOn ? [...others, id].sort((one, other) => order.indexOf(one) - order.indexOf(other)) : others;
    const limits = Object.entries(this.work.limits_by_runtime).filter(([runtime]) => runtimes.includes(runtime));
    this.change({ runtimes, limits_by_runtime: Object.fromEntries(limits) });
  }

  private write(statement: string): void {
    this.change({ statement });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.showPreview(), PREVIEW_AFTER_MS);
  }

  private showPreview(): void {
    const { statement } = this.work;
    fill(this.preview, statement.trim() === "" ? h("p", { class: "quiet" }, tt.statement.empty) : markdown(statement));
  }

  private addButton(): HTMLElement {
    const add = () => {
      this.change({ starter_files: [...this.work.starter_files, { path: "", content: "" }] });
      this.showStarters();
      this.starters.querySelector<HTMLElement>(":scope > :last-child input")?.focus();
    };
    return h("button", { type: "button", class: "add-starter", on: { click: add } }, tt.statement.addStarter);
  }

  private showStarters(): void {
    const words = tt.statement;
    const { starter_files } = this.work;
    const rows = starter_files.map((file, index) => {
      const path = input(file.path, (value) => {
        file.path = value;
        this.changed();
      });
      const content = area(file.content ?? "", (value) => {
        file.content = value;
        this.changed();
      }, { rows: 5 });
      const remove = () => {
        this.change({ starter_files: this.work.starter_files.filter((_, other) => other !== index) });
        this.showStarters();
        this.node.querySelector<HTMLElement>(".add-starter")?.focus();
      };
      const isText = typeof file.content === "string";
      return h(
        "div",
        { class: "card stack" },
        labelled(words.path, path),
        isText ? labelled(words.content, content) : h("p", { class: "quiet" }, words.binary),
        h("p", {}, h("button", { type: "button", on: { click: remove } }, words.removeStarter(file.path))),
      );
    });
    fill(this.starters, ...(rows.length > 0 ? rows : [h("p", { class: "quiet" }, words.noStarters)]));
  }
}
