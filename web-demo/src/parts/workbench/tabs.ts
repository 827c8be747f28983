/** The files of the editor as tabs, with what one does to files. */
import { asked, confirmed } from "../../dom/dialog";
import { fill, h } from "../../dom/h";
import { t } from "../../texts";
import type { CodeEditor } from "../editor/editor";
import { isFileName } from "./starter";

export class FileTabs {
  readonly node = h("div", { class: "files" });
  private readonly list = h("div", { role: "tablist", "aria-label": t.exercise.files });

  constructor(
    private readonly editor: CodeEditor,
    /** The element that the tabs switch. */
    private readonly panel: HTMLElement,
  ) {
    panel.setAttribute("role", "tabpanel");
    const button = (text: string, act: () => void) =>
      h("button", { type: "button", class: "plain", on: { click: act } }, text);
    this.node.append(
      this.list,
      button(t.exercise.newFile, () => void this.add()),
      button(t.exercise.rename, () => void this.rename()),
      button(t.exercise.remove, () => void this.remove()),
    );
    this.list.addEventListener("keydown", (event) => this.move(event));
  }

  /** Shows the tabs of the files that there are. */
  show(): void {
    const paths = this.editor.files().map(({ path }) => path);
    fill(
      this.list,
      ...paths.map((path) => {
        const isCurrent = path === this.editor.current;
        return h(
          "button",
          {
            type: "button",
            role: "tab",
            id: `tab-${path}`,
            "aria-selected": isCurrent ? "true" : "false",
            "aria-controls": this.panel.id,
            tabindex: isCurrent ? 0 : -1,
            on: { click: () => this.choose(path) },
          },
          path,
        );
      }),
    );
    this.panel.setAttribute("aria-labelledby", `tab-${this.editor.current}`);
  }

  private choose(path: string): void {
    this.editor.show(path);
    this.show();
  }

  private move(event: KeyboardEvent): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const paths = this.editor.files().map(({ path }) => path);
    const next = paths[(paths.indexOf(this.editor.current) + step + paths.length) % paths.length];
    if (step === 0 || next === undefined) return;
    event.preventDefault();
    this.choose(next);
    this.list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
  }

  private fault(except: string | null): (path: string) => string | null {
    const taken = this.editor.files().map(({ path }) => path).filter((path) => path !== except);
    return (path) => (isFileName(path, taken) ? null : t.exercise.badName);
  }

  private async add(): Promise<void> {
    const path = await asked(t.exercise.fileName, "", this.fault(null));
    if (path === null) return;
    this.editor.add(path);
    this.show();
    this.editor.focus();
  }

  private async rename(): Promise<void> {
    const { current } = this.editor;
    const path = await asked(t.exercise.fileName, current, this.fault(current));
    if (path === null || path === current) return;
    this.editor.rename(current, path);
    this.show();
  }

  private async remove(): Promise<void> {
    const { current } = this.editor;
    if (this.editor.files().length < 2 || !(await confirmed(t.exercise.removeFile(current)))) return;
    this.editor.remove(current);
    this.show();
  }
}
