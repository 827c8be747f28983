/** Numbers, times and sizes as the reader's language writes them. */

export interface Format {
  number(value: number, digits?: number): string;
  /** A time span, as `340 ms` or `1.2 s`. */
  milliseconds(ms: number): string;
  seconds(s: number): string;
  bytes(bytes: number): string;
  /** A day and a time. */
  moment(iso: string): string;
  /** How long ago. */
  ago(iso: string, now: number): string;
  /** The form of a noun that goes with a number. */
  plural(count: number, one: string, other: string): string;
  list(items: string[]): string;
}

/** The language as it is spoken where the reader is, if the browser says so: `en-GB` for `en`. */
export function regional(language: string): string {
  const wanted = typeof navigator === "undefined" ? [] : (navigator.languages ?? []);
  return wanted.find((name) => name === language || name.startsWith(`${language}-`)) ?? language;
}

/** The format of a language; `units` are those of bytes, small to large. */
export function format(language: string, units: readonly [string, string, string]): Format {
  const plain = new Intl.NumberFormat(language);
  const digit = (digits: number) => new Intl.NumberFormat(language, { maximumFractionDigits: digits });
  // The symbols of these units are the same in every language; a number and its symbol stay on one line.
  const unit = (value: number, digits: number, symbol: string) => `${digit(digits).format(value)}\u00a0${symbol}`;
  const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const plurals = new Intl.PluralRules(language);
  const conjunction = new Intl.ListFormat(language, { type: "conjunction" });
  return {
    number: (value, digits) => (digits === undefined ? plain : digit(digits)).format(value),
    milliseconds: (ms) => (ms < 1000 ? unit(ms, 0, "ms") : unit(ms / 1000, ms < 10_000 ? 2 : 1, "s")),
    seconds: (s) => (s < 120 ? unit(s, 0, "s") : unit(s / 60, 0, "min")),
    bytes(bytes) {
      if (bytes < 1024) return unit(bytes, 0, units[0]);
      const [scale, name] = bytes < 1 << 20 ? [1024, units[1]] : [1 << 20, units[2]];
      const value = bytes / scale;
      return unit(value, value < 10 ? 1 : 0, name);
    },
    moment: (iso) => moment.format(new Date(iso)),
    ago(iso, now) {
      const s = Math.round((Date.parse(iso) - now) / 1000);
      const steps: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86_400], ["hour", 3600], ["minute", 60]];
      const [name, length] = steps.find(([, length]) => Math.abs(s) >= length) ?? ["second", 1];
      return relative.format(Math.trunc(s / length), name);
    },
    plural: (count, one, other) => (plurals.select(count) === "one" ? one : other),
    list: (items) => conjunction.format(items),
  };
}
