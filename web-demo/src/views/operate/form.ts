/** A dialog with a form: it stays, with what is wrong at its fields, until the service has taken it or it is given up. */
import { dialog } from "../../dom/dialog";
import { h } from "../../dom/h";
import { Refused } from "../../api/problem";
import { blame, forgive, type Control } from "../../parts/fields";
import { isAborted } from "../../state/signal";
import { ot } from "../../texts/operate";

export interface Asked {
  title: string;
  /** What the form holds, each field with its label. */
  fields: HTMLElement[];
  submit: string;
  /** Controls by the JSON pointers of the API. */
  controls: Record<string, Control>;
  /** What is wrong before anything is sent: a message for each pointer. */
  check(): Record<string, string>;
  /** Sends it; `signal` fires when the dialog is closed. */
  send(signal: AbortSignal): Promise<void>;
}

export function formDialog(asked: Asked): void {
  const [submit, cancel] = [h("button", { class: "primary" }, asked.submit), h("button", { type: "button" }, ot.cancel)];
  const fault = h("p", { class: "fault", role: "alert" });
  const form = h("form", { class: "stack form", novalidate: true }, ...asked.fields, fault, h("p", { class: "actions" }, submit, cancel));
  const element = dialog(asked.title, form);
  const closed = new AbortController();
  element.addEventListener("close", () => closed.abort());
  cancel.addEventListener("click", () => element.close());
  const blameAll = (faults: [string, string][]) => {
    const known = faults.filter(([pointer]) => asked.controls[pointer]);
    for (const [pointer, message] of known) blame(asked.controls[pointer] as Control, message, () => undefined);
    fault.textContent = faults.filter(([pointer]) => !asked.controls[pointer]).map(([, message]) => message).join(" ");
    form.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  };
  const send = async () => {
    submit.disabled = true;
    try {
      await asked.send(closed.signal);
      element.close();
    } catch (error) {
      if (isAborted(error)) return;
      if (!(error instanceof Refused)) throw error;
      blameAll(faultsOf(error));
    } finally {
      submit.disabled = false;
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    forgive(form);
    fault.textContent = "";
    const wrong = Object.entries(asked.check());
    if (wrong.length > 0) return blameAll(wrong);
    void send();
  });
}

/** The pointers that a refusal names; a name that is taken is wrong at the name. */
function faultsOf({ code, problem, message }: Refused): [string, string][] {
  if (code === "host_exists") return [["/name", message]];
  const errors = problem.errors.map(({ pointer, message }): [string, string] => [pointer, message]);
  return errors.length > 0 ? errors : [["", message]];
}
