/** The texts of the teacher's views, in the language of the page. */
import { t } from "./index";
import { teachEn, type TeachTexts } from "./teach-en";

export type { TeachTexts };

/** Those of another language than English are loaded by `chooseTeachTexts` before a view is shown. */
export let tt: TeachTexts = teachEn;

export async function chooseTeachTexts(): Promise<void> {
  if (t.language === "fr") tt = (await import("./teach-fr")).teachFr;
}
