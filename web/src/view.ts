/**
 * What all views have in common and keep in their address: how far back figures look (`range`), and whose time of day is
 * shown (`tz`). What is the default does not stand in the address.
 */
import { computed } from "@preact/signals";
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

/** Whether the figures are those of the overview's own page. */
export const isDefaultRange = computed(() => range.value === RANGE);

export type Zone = "UTC" | "local";

/** Whose time of day is shown: the word that stands beside it. */
export const zone = computed<Zone>(() =>
  new URLSearchParams(search.value).get("tz") === "local" ? "local" : "UTC",
);

function set(name: string, value: string | null): void {
  const query = new URLSearchParams(location.search);
  if (value === null) query.delete(name);
  else query.set(name, value);
  const text = query.toString();
  history.pushState(history.state, "", location.pathname + (text === "" ? "" : `?${text}`) + location.hash);
  here();
}

export function setRange(next: Range): void {
  set("range", next === RANGE ? null : next);
}

/** The next longer range (or shorter, for −1); the last stays. */
export function stepRange(by: 1 | -1): void {
  const next = RANGES[RANGES.indexOf(range.value) + by];
  if (next !== undefined) setRange(next);
}

export function toggleZone(): void {
  set("tz", zone.value === "UTC" ? "local" : null);
}
