/** How outputs are compared. */
import { fill, freshId, h } from "../../dom/h";
import { tt } from "../../texts/teach";
import { box, group, input, labelled, type Places, ticked } from "../../parts/fields";
import { shown, typed, type Work, type WorkChecker } from "./work";

type Tokens = Extract<WorkChecker, { type: "tokens" }>;

export class CheckerPart implements Places {
  readonly node = h("div", { class: "stack" });
  private absolute = h("input");
  private relative = h("input");
  private types = h("fieldset");
  /** What stands below `tokens`, also while another type is chosen. */
  private tokens: Tokens = { type: "tokens", case_sensitive: true, float_tolerance: null };

  constructor(
    private work: Work,
    private readonly changed: () => void,
  ) {
    this.show(work);
  }

  show(work: Work): void {
    this.work = work;
    const { checker } = work;
    if (checker.type === "tokens") this.tokens = structuredClone(checker);
    const words = tt.checker;
    const name = freshId("checker");
    const type = (value: WorkChecker["type"], text: string) =>
      ticked(text, box("radio", checker.type === value, () => this.take(value), { name, value }));
    this.types = group(words.type, type("tokens", words.tokens), type("exact", words.exact));
    const stop = box("checkbox", work.stop_on_first_failure, (isOn) => {
      this.work.stop_on_first_failure = isOn;
      this.changed();
    });
    // A later kind of checker has its own way in.
    const isKnown = ["tokens", "exact"].includes(checker.type);
    fill(
      this.node,
      isKnown ? this.types : h("p", {}, tt.checker.other(checker.type)),
      checker.type === "tokens" ? this.tokenOptions() : null,
      ticked(words.stop, stop),
    );
  }

  place(pointer: string): HTMLElement | null {
    if (pointer === "/checker/float_tolerance/relative") return this.relative.isConnected ? this.relative : null;
    if (pointer.startsWith("/checker/float_tolerance")) return this.absolute.isConnected ? this.absolute : null;
    return pointer.startsWith("/checker") || pointer.startsWith("/stop_on_first_failure") ? this.types.querySelector("input") : null;
  }

  private take(type: WorkChecker["type"]): void {
    this.work.checker = type === "exact" ? { type } : structuredClone(this.tokens);
    this.changed();
    this.show(this.work);
    this.types.querySelector<HTMLElement>(`[value="${type}"]`)?.focus();
  }

  private keep(tokens: Tokens): void {
    this.tokens = tokens;
    this.work.checker = structuredClone(tokens);
    this.changed();
  }

  private tokenOptions(): HTMLElement {
    const words = tt.checker;
    const { case_sensitive, float_tolerance } = this.tokens;
    const matters = box("checkbox", case_sensitive, (isOn) => this.keep({ ...this.tokens, case_sensitive: isOn }));
    const differ = box("checkbox", float_tolerance !== null, (isOn) => {
      this.keep({ ...this.tokens, float_tolerance: isOn ? { absolute: 1e-6, relative: 1e-6 } : null });
      this.show(this.work);
      this.node.querySelector<HTMLElement>(".tolerance input")?.focus();
    });
    const number = (field: "absolute" | "relative") =>
      input(float_tolerance ? shown(float_tolerance[field]) : "", (text) => {
        const tolerance = this.tokens.float_tolerance ?? { absolute: 0, relative: 0 };
        this.keep({ ...this.tokens, float_tolerance: { ...tolerance, [field]: fraction(text) } });
      }, { inputmode: "decimal" });
    this.absolute = number("absolute");
    this.relative = number("relative");
    return h(
      "div",
      { class: "stack" },
      ticked(words.caseSensitive, matters),
      h(
        "div",
        { class: "tolerance stack" },
        ticked(words.tolerance, differ),
        float_tolerance ? h("div", { class: "limits" }, labelled(words.absolute, this.absolute), labelled(words.relative, this.relative)) : null,
      ),
    );
  }
}

/** A number with a fraction or an exponent, or what was typed; nothing is 0. */
function fraction(text: string): number | string {
  const plain = text.trim().replace(",", ".");
  if (/^\d*\.?\d+(e[+-]?\d+)?$/i.test(plain) && Number.isFinite(Number(plain))) return Number(plain);
  return typed(text) ?? 0;
}
