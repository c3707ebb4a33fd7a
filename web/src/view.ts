/**
 * What all views have in common and keep in their address: how far back figures look (`range`), and whose time of day is
 * shown (`tz`). What is the default does not stand in the address.
 */
import { computed, signal } from "@preact/signals";
import { here, search } from "./route";

export const RANGES = ["1h", "6h", "24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];
const RANGE: Range = "6h";

/** A window of the API as the page writes it: "24 h". */
export function windowText(window: string): string {
  return window.replace(/^(\d+)/, "$1\u202f");
}

function isRange(text: string | null): text is Range {
  return RANGES.some((range) => range === text);
}

export const range = computed<Range>(() => {
  const asked = new URLSearchParams(search.value).get("range");
  return isRange(asked) ? asked : RANGE;
});

/** The window of the lag figures: the overview as it is made by default has an hour of lag beside six of coverage. */
export const lagWindow = computed<Range>(() => (range.value === RANGE ? "1h" : range.value));

/** The window of how operations spread: longer than a day is not kept. */
export const spreadWindow = computed<Range>(() =>
  range.value === "7d" || range.value === "30d" ? "24h" : range.value,
);

/** A span of time that somebody chose, in milliseconds since 1970. */
export interface Span {
  fromMs: number;
  toMs: number;
}

/** The span that the address asks for in place of a range that ends now; null where there is none. */
export const custom = computed<Span | null>(() => {
  const query = new URLSearchParams(search.value);
  const [fromMs, toMs] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
  return query.get("range") === "custom" && fromMs < toMs ? { fromMs, toMs } : null;
});

/** Whether the fields of a span are open although none is shown. */
export const customIsOpen = signal(false);

function spanQuery({ fromMs, toMs }: Span): Record<string, string> {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}

/** How the API is asked for the figures of the range. */
export const asked = computed(() =>
  custom.value === null ? `window=${range.value}` : String(new URLSearchParams(spanQuery(custom.value))),
);

/** The same for lag. */
export const lagAsked = computed(() => (custom.value === null ? `window=${lagWindow.value}` : asked.value));

/** A range that ends now, in words; the span that was chosen in place of it. */
export function rangeText(window: Range): string {
  return custom.value === null ? windowText(window) : "chosen range";
}

/** Whether the figures are those of the overview's own page. */
export const isDefaultRange = computed(() => range.value === RANGE && custom.value === null);

export type Zone = "UTC" | "local";

/** Whose time of day is shown: the word that stands beside it. */
export const zone = computed<Zone>(() =>
  new URLSearchParams(search.value).get("tz") === "local" ? "local" : "UTC",
);

function set(values: Record<string, string | null>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.pushState(history.state, "", location.pathname + (text === "" ? "" : `?${text}`) + location.hash);
  here();
}

export function setRange(next: Range): void {
  customIsOpen.value = false;
  set({ range: next === RANGE ? null : next, from: null, to: null });
}

export function setCustom(span: Span): void {
  set({ range: "custom", ...spanQuery(span) });
}

/** The next longer range (or shorter, for −1); the last stays. */
export function stepRange(by: 1 | -1): void {
  const next = RANGES[RANGES.indexOf(range.value) + by];
  if (next !== undefined) setRange(next);
}

export function toggleZone(): void {
  set({ tz: zone.value === "UTC" ? "local" : null });
}
