/** What is shown where there is nothing, or nothing for this role. */
import type { App, View } from "../../app";
import { h } from "../../dom/h";
import { t } from "../../texts";

const homeward = (app: App): HTMLElement => h("p", {}, h("a", { href: app.address("") }, t.notFound.home));

export const notFound = (app: App): View => ({
  title: t.notFound.title,
  node: h("section", { class: "narrow stack" }, h("h1", { tabindex: -1 }, t.notFound.title), h("p", {}, t.notFound.text), homeward(app)),
});

export function forbidden(app: App): View {
  const role = app.session.me.value?.role ?? "";
  return {
    title: t.forbidden.title,
    node: h(
      "section",
      { class: "narrow stack" },
      h("h1", { tabindex: -1 }, t.forbidden.title),
      h("p", {}, t.forbidden.text(t.roles[role] ?? role)),
      homeward(app),
    ),
  };
}
