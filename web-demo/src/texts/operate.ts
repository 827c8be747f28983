/** The texts of the operator's view, in the language of the page. */
import { t } from "./index";
import { operateEn, type OperateTexts } from "./operate-en";

export type { OperateTexts };

/** Those of another language than English are loaded by `chooseOperateTexts` before the view is shown. */
export let ot: OperateTexts = operateEn;

export async function chooseOperateTexts(): Promise<void> {
  if (t.language === "fr") ot = (await import("./operate-fr")).operateFr;
}
