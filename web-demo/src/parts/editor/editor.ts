/** The code editor: one view, a state for each file. Loaded when a view needs it. */
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic as Mark } from "@codemirror/lint";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import type { Diagnostic } from "../../api/types";
import { t } from "../../texts";
import type { DraftFile } from "../../state/drafts";
import { languageOf } from "./languages";

/** What the editor's owner does at a key. */
export interface Keys {
  run(): void;
  submit(): void;
}

/** The editor writes its styles while it runs; the page's policy takes them with the nonce of its document. */
const nonce = (): Extension =>
  EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>('meta[name="style-nonce"]')?.content ?? "");

export class CodeEditor {
  readonly node: HTMLElement;
  private readonly view: EditorView;
  private readonly states = new Map<string, EditorState>();
  private readonly languages = new Map<string, Compartment>();
  private readonly searching = new Compartment();
  private diagnostics: Diagnostic[] = [];
  private path = "";

  constructor(
    private readonly keys: Keys,
    private readonly changed: () => void,
  ) {
    this.view = new EditorView({ state: EditorState.create({ extensions: nonce() }) });
    this.node = this.view.dom;
  }

  /** Takes these files in place of those it has, and shows the first. */
  load(files: DraftFile[]): void {
    this.states.clear();
    this.diagnostics = [];
    this.path = "";
    for (const { path, content } of files) this.states.set(path, this.create(path, content));
    const [first] = files;
    if (first) this.show(first.path);
  }

  /** All files as they are, in order. */
  files(): DraftFile[] {
    return [...this.states].map(([path, state]) => ({
      path,
      content: (path === this.path ? this.view.state : state).doc.toString(),
    }));
  }

  get current(): string {
    return this.path;
  }

  show(path: string): void {
    if (this.states.has(this.path)) this.states.set(this.path, this.view.state);
    const state = this.states.get(path);
    if (!state) return;
    this.path = path;
    this.view.setState(state);
    this.mark();
    void this.highlight(path);
  }

  add(path: string): void {
    this.states.set(path, this.create(path, ""));
    this.show(path);
    this.changed();
  }

  remove(path: string): void {
    const paths = [...this.states.keys()];
    this.states.delete(path);
    if (path === this.path) {
      const at = paths.indexOf(path);
      this.path = "";
      this.show(paths[at + 1] ?? paths[at - 1] ?? "");
    }
    this.changed();
  }

  rename(from: string, to: string): void {
    const files = this.files().map((file) => (file.path === from ? { ...file, path: to } : file));
    this.load(files);
    this.show(to);
    this.changed();
  }

  /** Marks what the compiler says, each at its line; nothing with an empty list. */
  showDiagnostics(diagnostics: Diagnostic[]): void {
    this.diagnostics = diagnostics;
    this.mark();
  }

  /** Shows a place and puts the cursor there. */
  reveal(path: string, line: number, column: number | null): void {
    if (path !== this.path) this.show(path);
    const at = this.place(line, column);
    this.view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
    this.view.focus();
  }

  focus(): void {
    this.view.focus();
  }

  close(): void {
    this.view.destroy();
  }

  private place(line: number, column: number | null): number {
    const { doc } = this.view.state;
    const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines));
    return Math.min(from + Math.max((column ?? 1) - 1, 0), to);
  }

  private mark(): void {
    const here = this.diagnostics.filter(({ file, line }) => file === this.path && line !== null && line > 0);
    const marks = here.map(({ line, column, severity, message }): Mark => {
      const from = this.place(line ?? 1, column);
      const end = this.view.state.doc.lineAt(from).to;
      const word = this.view.state.wordAt(from);
      const to = column === null ? end : Math.max(word?.to ?? from, Math.min(from + 1, end));
      return { from: column === null ? this.view.state.doc.lineAt(from).from : from, to, severity: severity === "note" ? "info" : severity, message };
    });
    this.view.dispatch(setDiagnostics(this.view.state, marks));
  }

  private async highlight(path: string): Promise<void> {
    const compartment = this.languages.get(path);
    const language = await languageOf(path);
    if (compartment && path === this.path) this.view.dispatch({ effects: compartment.reconfigure(language) });
  }

  /** Searching is loaded when it is asked for. */
  private async search(): Promise<void> {
    const { openSearchPanel, search, searchKeymap } = await import("@codemirror/search");
    this.view.dispatch({ effects: this.searching.reconfigure([search({ top: true }), keymap.of(searchKeymap)]) });
    openSearchPanel(this.view);
  }

  private create(path: string, content: string): EditorState {
    const language = new Compartment();
    this.languages.set(path, language);
    return EditorState.create({ doc: content, extensions: [this.around(path), language.of([])] });
  }

  private around(path: string): Extension {
    const act = (what: () => void) => () => {
      what();
      return true;
    };
    return [
      nonce(),
      this.searching.of([]),
      EditorView.contentAttributes.of({ "aria-label": t.exercise.editor(path), spellcheck: "false" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) this.changed();
      }),
      lineNumbers(),
      lintGutter(),
      history(),
      drawSelection(),
      highlightSpecialChars(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      indentOnInput(),
      indentUnit.of("    "),
      bracketMatching(),
      closeBrackets(),
      syntaxHighlighting(classHighlighter),
      keymap.of([
        { key: "Mod-Enter", run: act(() => this.keys.run()) },
        { key: "Mod-Shift-Enter", run: act(() => this.keys.submit()) },
        ...closeBracketsKeymap,
        ...defaultKeymap,
        { key: "Mod-f", run: act(() => void this.search()) },
        ...historyKeymap,
        ...lintKeymap,
        indentWithTab,
      ]),
    ];
  }
}
