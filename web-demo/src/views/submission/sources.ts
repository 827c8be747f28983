/** The files of a submission, read back. */
import type { App } from "../../app";
import type { Submission } from "../../api/types";
import { confirmed } from "../../dom/dialog";
import type { DraftFile } from "../../state/drafts";
import type { Purpose } from "../../parts/workbench/workbench";
import { t } from "../../texts";

/** A file, with `null` for bytes that are no text. */
export interface Source {
  path: string;
  text: string | null;
}

export async function sourcesOf(app: App, submission: Submission, signal: AbortSignal): Promise<Source[]> {
  const read = async ({ path }: { path: string }): Promise<Source> => {
    const bytes = await app.session.api.file(submission.id, path, signal);
    try {
      return { path, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
    } catch {
      return { path, text: null };
    }
  };
  return Promise.all((submission.files ?? []).map(read));
}

/**
 * What the editor opens of an old submission; `null` if none is asked for, or if the draft at that place shall stay.
 *
 * The address then asks for it no more: a reload shows what was written since.
 */
export async function reopenedFrom(app: App, query: URLSearchParams, place: string, signal: AbortSignal): Promise<Purpose["reopened"]> {
  const id = query.get("from");
  if (id === null) return null;
  const submission = await app.session.api.submission(id, signal);
  const sources = await sourcesOf(app, submission, signal);
  const files = sources.flatMap(({ path, text }): DraftFile[] => (text === null ? [] : [{ path, content: text }]));
  const { runtime, run } = submission;
  history.replaceState(null, "", location.pathname);
  const draft = app.drafts.read(place, runtime);
  const isOther = draft !== null && JSON.stringify(draft.files) !== JSON.stringify(files);
  if (isOther && !(await confirmed(t.submission.reopenSure))) return null;
  return { id, runtime, files, stdin: run?.stdin ?? "", args: run?.args.join("\n") ?? "" };
}
