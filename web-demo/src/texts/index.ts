/** The reader's language, by what the browser asks for. */
import { en, type Texts } from "./en";

export type { Texts };

/** The texts of the page; those of another language than English are loaded before anything is shown. */
export let t: Texts = en;

/** The first language of the list that the page has. */
export function chosen(languages: readonly string[]): "en" | "fr" {
  for (const language of languages) {
    const [name] = language.toLowerCase().split("-");
    if (name === "en" || name === "fr") return name;
  }
  return "en";
}

/** Takes up the browser's language. */
export async function chooseTexts(): Promise<void> {
  if (chosen(navigator.languages) === "fr") t = (await import("./fr")).fr;
  document.documentElement.lang = t.language;
}
