/** Statements: Markdown to elements, through a sanitiser. The only place where text becomes markup. */
import DOMPurify, { type Config } from "dompurify";
import { Marked } from "marked";

const marked = new Marked({ gfm: true, breaks: false });

const ALLOWED: Config = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h3", "h4", "h5", "h6", "hr", "img", "kbd", "li",
    "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["href", "src", "alt", "title", "start", "align", "colspan", "rowspan"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  // Nothing relative: it would lead into the page itself. Images are of the statement, or not at all.
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|jpeg|gif|webp|svg\+xml);base64,)/i,
  RETURN_DOM_FRAGMENT: true,
};

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("rel", "noopener noreferrer nofollow");
  node.setAttribute("target", "_blank");
});

/** Headings of a statement stand below the page's own. */
const lower = (html: string): string =>
  html.replace(/<(\/?)h([1-4])>/g, (_, slash: string, level: string) => `<${slash}h${Math.min(Number(level) + 2, 6)}>`);

/** The elements of a statement. */
export function markdown(text: string): DocumentFragment {
  const html = lower(marked.parse(text, { async: false }));
  return purify.sanitize(html, ALLOWED) as unknown as DocumentFragment;
}
