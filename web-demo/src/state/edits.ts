/** What a teacher changed and did not save, kept in the browser for each subject and exercise. */

/** Edits of one exercise, with what they began from. */
export interface Edits<Work> {
  work: Work;
  /** The stored exercise that they change; `null` for one that is not stored yet, or if there was no room to keep it. */
  base: Work | null;
  /** The entity tag of what they change; `null`: nothing was stored. */
  tag: string | null;
}

export class EditStore<Work> {
  private readonly prefix: string;

  constructor(root: string, subject: string) {
    this.prefix = `guichet ${root} edits ${subject} `;
  }

  read(id: string): Edits<Work> | null {
    try {
      const text = localStorage.getItem(this.prefix + id);
      return text === null ? null : (JSON.parse(text) as Edits<Work>);
    } catch {
      return null;
    }
  }

  /** Whether they could be kept: a browser's store may be full or closed. */
  write(id: string, edits: Edits<Work>): boolean {
    for (const one of [edits, { ...edits, base: null }]) {
      try {
        localStorage.setItem(this.prefix + id, JSON.stringify(one));
        return true;
      } catch {
        // Without what they began from they need half the room.
      }
    }
    return false;
  }

  forget(id: string): void {
    try {
      localStorage.removeItem(this.prefix + id);
    } catch {
      // A store that is closed keeps nothing.
    }
  }

  /** The exercises of which there are edits. */
  ids(): string[] {
    try {
      const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index) ?? "");
      return keys.filter((key) => key.startsWith(this.prefix)).map((key) => key.slice(this.prefix.length)).sort();
    } catch {
      return [];
    }
  }
}
