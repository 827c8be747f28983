/** What is written and not sent yet, kept in the browser for each subject, place and runtime. */

/** A file of the editor. */
export interface DraftFile {
  path: string;
  content: string;
}

export interface Draft {
  files: DraftFile[];
  /** Input of runs. */
  stdin: string;
  /** Arguments of runs, one a line. */
  args: string;
}

export class Drafts {
  constructor(
    private readonly root: string,
    private readonly subject: string,
  ) {}

  private key(place: string, what: string): string {
    return `guichet ${this.root} draft ${this.subject} ${place} ${what}`;
  }

  read(place: string, runtime: string): Draft | null {
    try {
      const text = localStorage.getItem(this.key(place, runtime));
      return text === null ? null : (JSON.parse(text) as Draft);
    } catch {
      return null;
    }
  }

  /** Whether it could be kept: a browser's store may be full or closed. */
  write(place: string, runtime: string, draft: Draft): boolean {
    try {
      localStorage.setItem(this.key(place, runtime), JSON.stringify(draft));
      localStorage.setItem(this.key(place, "runtime"), runtime);
      return true;
    } catch {
      return false;
    }
  }

  forget(place: string, runtime: string): void {
    localStorage.removeItem(this.key(place, runtime));
  }

  /** The runtime that was used last at that place. */
  runtime(place: string): string | null {
    return localStorage.getItem(this.key(place, "runtime"));
  }
}
