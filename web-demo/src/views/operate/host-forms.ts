/** The forms that add a host and change how many slots one has. */
import type { App } from "../../app";
import { Refused } from "../../api/problem";
import type { Host, HostRequest } from "../../api/types";
import { announce } from "../../dom/announce";
import { h } from "../../dom/h";
import { choice, labelled } from "../../parts/fields";
import { ot } from "../../texts/operate";
import { formDialog } from "./form";

const text = (attributes: Record<string, string | number> = {}) => h("input", { autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...attributes });

/** The field's number; `null` if it is empty, `undefined` if it is none. */
function slotsOf(input: HTMLInputElement): number | null | undefined {
  const value = input.value.trim();
  if (value === "") return null;
  return /^[1-9]\d{0,8}$/.test(value) ? Number(value) : undefined;
}

const checkSlots = (input: HTMLInputElement): Record<string, string> => (slotsOf(input) === undefined ? { "/slots": ot.wholeNumber } : {});

export function askForHost(app: App): void {
  const words = ot.add;
  const [name, url, certs, slots] = [text({ maxlength: 63, required: "" }), text({ inputmode: "url", required: "" }), text(), text({ inputmode: "numeric" })];
  let mode: "active" | "cordoned" = "active";
  const modes = Object.entries(words.modes);
  const begin = choice(modes, mode, (value) => (mode = value === "cordoned" ? "cordoned" : "active"));
  formDialog({
    title: words.title,
    fields: [
      labelled(words.name, name, words.nameHint),
      labelled(words.url, url, words.urlHint),
      labelled(words.certs, certs, words.certsHint),
      labelled(words.slots, slots, words.slotsHint),
      labelled(words.mode, begin),
    ],
    submit: words.submit,
    controls: { "/name": name, "/url": url, "/certs": certs, "/slots": slots, "/mode": begin },
    check: () => checkSlots(slots),
    async send(signal) {
      const wanted: HostRequest = { name: name.value.trim(), url: url.value.trim(), certs: certs.value.trim() || null, slots: slotsOf(slots) ?? null, mode };
      await add(app, wanted, signal);
      announce(words.added(wanted.name));
    },
  });
}

/** Adds a host. A request whose answer was lost goes again: what was added by it is no other host. */
async function add(app: App, wanted: HostRequest, signal: AbortSignal): Promise<void> {
  const { api } = app.session;
  try {
    await api.addHost(wanted, signal);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "host_exists") throw error;
    const known = (await api.hosts(signal)).find(({ name }) => name === wanted.name);
    if (known?.url !== wanted.url || known.certs !== wanted.certs) throw error;
  }
}

export function askForSlots(app: App, host: Host, changed: (host: Host) => void): void {
  const words = ot.slotsForm;
  const slots = text({ inputmode: "numeric" });
  slots.value = host.slots.configured === null ? "" : String(host.slots.configured);
  formDialog({
    title: words.title(host.name),
    fields: [labelled(words.slots, slots, words.hint(host.engine?.cores ?? null))],
    submit: words.save,
    controls: { "/slots": slots },
    check: () => checkSlots(slots),
    send: async (signal) => changed(await app.session.api.changeHost(host.name, { slots: slotsOf(slots) ?? null }, signal)),
  });
}
