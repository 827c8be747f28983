/** What every view works with. */
import type { Runtime } from "./api/types";
import type { Drafts } from "./state/drafts";
import type { Live } from "./state/live";
import type { Session } from "./state/session";

export interface App {
  session: Session;
  live: Live;
  drafts: Drafts;
  /** The runtimes as they were read last; `again` reads them anew. */
  runtimes(again?: boolean): Promise<Runtime[]>;
  /** Goes to a view, as a link would. */
  go(path: string): void;
  /** The address of a view, for links. */
  address(path: string): string;
}

/** A view that is shown. */
export interface View {
  title: string;
  node: HTMLElement;
}

/** What a view is opened with; `signal` fires when it is left. */
export interface Opening {
  parameters: Record<string, string>;
  query: URLSearchParams;
  signal: AbortSignal;
}

export type OpenView = (app: App, opening: Opening) => View | Promise<View>;
