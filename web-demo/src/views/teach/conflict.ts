/** What a teacher is told, and may choose, when another saved the same exercise meanwhile. */
import type { Exercise } from "../../api/types";
import { confirmed } from "../../dom/dialog";
import { h } from "../../dom/h";
import { t } from "../../texts";
import { tt } from "../../texts/teach";
import { differences, joined, workOf, type Work } from "./work";

/** Each goes on from what is stored now; nothing is saved by it. */
export interface Choices {
  /** With both changes. */
  join(): void;
  /** With one's own in place of what is stored. */
  keep(): void;
  /** With what is stored in place of one's own. */
  take(): void;
}

/** The note; `theirs` is what is stored now, `null` if it was deleted. */
export function conflictNote(base: Work | null, mine: Work, theirs: Exercise | null, choices: Choices): HTMLElement {
  const words = tt.conflict;
  const button = (text: string, act: () => void, kind = "") => h("button", { type: "button", class: kind, on: { click: act } }, text);
  if (!theirs) {
    return h("div", { class: "refusal stack", role: "alert" }, h("h2", {}, words.title), h("p", {}, words.deleted), h("p", { class: "actions" }, button(words.keep, choices.keep)));
  }
  const stored = workOf(theirs);
  const both = base ? joined(base, mine, stored).both : [];
  const named = (fields: (keyof Work)[]) => fields.map((name) => words.field(name));
  const changed = base ? differences(base, stored) : null;
  const take = () => void confirmed(words.takeSure).then((yes) => yes && choices.take());
  return h(
    "div",
    { class: "refusal stack", role: "alert" },
    h("h2", {}, words.title),
    h("p", {}, words.lead(theirs.version, t.format.moment(theirs.updated_at))),
    h("p", {}, changed === null ? words.theirsUnknown : changed.length > 0 ? words.theirs(named(changed)) : words.theirsSame),
    both.length > 0 ? h("p", {}, words.both(named(both))) : null,
    h(
      "p",
      { class: "actions" },
      base && both.length === 0 ? button(words.join, choices.join, "primary") : null,
      button(words.keep, choices.keep),
      button(words.take, take),
    ),
  );
}
