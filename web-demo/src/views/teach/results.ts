/** What came of an exercise: one row an owner, how often each test fails as bars, the same as a file. */
import type { App } from "../../app";
import type { GradedSubmission, OwnerResults, TestResults } from "../../api/types";
import { fill, h } from "../../dom/h";
import { verdictMark } from "../../parts/mark";
import { t } from "../../texts";
import { tt } from "../../texts/teach";
import { choice, labelled } from "../../parts/fields";

type Over = "last" | "all";

export class ResultsPart {
  readonly node = h("div", { class: "stack" });
  private readonly rows = h("tbody");
  private readonly bars = h("ol", { class: "bars" });
  private readonly more = h("button", { type: "button", on: { click: () => void this.readOn() } }, tt.results.more);
  private tests: TestResults[] = [];
  private over: Over = "last";
  private cursor: string | null = null;

  constructor(
    private readonly app: App,
    private readonly id: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Reads them anew. */
  async open(isStored: boolean): Promise<void> {
    if (!isStored) return fill(this.node, h("p", { class: "quiet" }, tt.results.notStored));
    const { items, next_cursor, tests } = await this.app.session.api.results(this.id, undefined, this.signal);
    this.tests = tests ?? [];
    this.cursor = next_cursor;
    const words = tt.results;
    const button = (text: string, act: () => Promise<void>) => {
      const element = h("button", { type: "button" }, text);
      element.addEventListener("click", () => {
        element.disabled = true;
        void act().finally(() => (element.disabled = false));
      });
      return element;
    };
    const refresh = button(words.refresh, () => this.open(true));
    if (items.length === 0) return fill(this.node, h("p", { class: "quiet" }, words.none), h("p", { class: "actions" }, refresh));
    const columns = [words.owner, words.tries, words.best, t.submissions.score, words.last, t.submissions.score, words.when];
    fill(this.rows, ...items.map((item) => this.row(item)));
    this.more.hidden = this.cursor === null;
    const over = choice([["last", words.ofLast], ["all", words.ofAll]], this.over, (value) => {
      this.over = value === "all" ? "all" : "last";
      this.showBars();
    });
    this.showBars();
    fill(
      this.node,
      h("p", { class: "actions" }, button(words.download, () => this.download()), refresh),
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "group", "aria-label": words.caption },
        h("table", { class: "rows" }, h("caption", { class: "unseen" }, words.caption), h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))), this.rows),
      ),
      h("p", {}, this.more),
      h("section", { class: "stack" }, h("h2", {}, words.tests), h("div", { class: "over" }, labelled(words.count, over)), this.bars),
    );
  }

  private async readOn(): Promise<void> {
    this.more.disabled = true;
    try {
      const { items, next_cursor } = await this.app.session.api.results(this.id, this.cursor ?? undefined, this.signal);
      this.rows.append(...items.map((item) => this.row(item)));
      this.cursor = next_cursor;
      this.more.hidden = next_cursor === null;
    } finally {
      this.more.disabled = false;
    }
  }

  private row({ owner, submissions, best, last }: OwnerResults): HTMLElement {
    const { app } = this;
    const of = new URLSearchParams({ exercise_id: this.id, owner }).toString();
    const cells = ({ submission_id, verdict, score, max_score }: GradedSubmission) => [
      h("td", {}, h("a", { href: app.address(`submissions/${submission_id}`) }, verdictMark(verdict))),
      h("td", { class: "figure" }, `${t.format.number(score)}/${t.format.number(max_score)}`),
    ];
    const { ended_at } = last;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, owner),
      h("td", { class: "figure" }, h("a", { href: app.address(`submissions?${of}`) }, t.format.number(submissions))),
      ...cells(best),
      ...cells(last),
      h("td", {}, ended_at === null ? h("span", { class: "quiet" }, tt.results.again) : h("time", { datetime: ended_at }, t.format.moment(ended_at))),
    );
  }

  private showBars(): void {
    const items = this.tests.map((test) => {
      const { runs, failures, verdicts } = test[this.over];
      const fill = h("span", { class: "fill" });
      fill.style.inlineSize = `${runs > 0 ? (failures / runs) * 100 : 0}%`;
      const failed = verdicts.filter(({ verdict }) => verdict !== "accepted");
      const why = failed.map(({ verdict, count }) => tt.results.verdict(t.verdicts(verdict), count));
      return h(
        "li",
        {},
        h("span", { class: "name" }, test.name),
        h("span", { class: "figure" }, tt.results.fails(failures, runs)),
        h("span", { class: "bar", "aria-hidden": "true" }, fill),
        why.length > 0 ? h("span", { class: "note" }, t.format.list(why)) : null,
      );
    });
    fill(this.bars, ...items);
  }

  /** Keeps the table as a file. It begins with the mark by which spreadsheets know that it is UTF-8. */
  private async download(): Promise<void> {
    const text = await this.app.session.api.resultsTable(this.id, this.signal);
    const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
    const link = h("a", { href: url, download: tt.results.filename(this.id).replaceAll(":", "_"), hidden: true });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}
