/** What the page knows: its feeds, its live socket, and how old what it shows is. Wiring only. */
import { computed, effect } from "@preact/signals";
import { now, startTicking } from "./clock";
import { Feed } from "./feed";
import { Live, liveUrl, type Socket } from "./live";
import { Ranged } from "./ranged";
import { route } from "./route";
import type {
  CoveragePage,
  Envelope,
  History,
  Incidents,
  LagPage,
  Meta,
  Overview,
  Propagation,
} from "./shapes";
import { asked, custom, isDefaultRange, lagAsked, spreadWindow } from "./view";

export const overview = new Feed<Overview>("overview");
const histories = new Ranged<History>("analytics/history");
const coverages = new Ranged<CoveragePage>("analytics/coverage");
const lags = new Ranged<LagPage>("analytics/lag");

/** One entry an interval over the range that is looked at. */
export const history = computed(() => histories.at(asked.value));
/** The figures of that range; the overview itself has those of the default one. */
export const coverage = computed(() => coverages.at(asked.value));
export const lag = computed(() => lags.at(lagAsked.value));

const propagations = new Ranged<Propagation>("propagation");
export const propagation = computed(() => propagations.at(`window=${spreadWindow.value}`));
export const incidents = new Feed<Incidents>("incidents");

/** What the page shows now, and is fetched anew when it changes. */
const shown = computed(() => [
  overview,
  history.value,
  ...(isDefaultRange.value ? [] : [coverage.value, lag.value]),
  ...(route.value.page === "overview" ? [propagation.value] : []),
  ...(route.value.page === "overview" || route.value.page === "incidents" ? [incidents] : []),
]);

function refreshAll(): void {
  for (const feed of shown.peek()) void feed.refresh();
}

/** So often what can still change of a chosen span is asked for: no notice tells of it. */
const AGAIN_MS = 10_000;
/** Verdicts can be revised for so long, by default. */
const REVISED_MS = 24 * 3_600_000;

function lookAgain(): void {
  const span = custom.peek();
  if (span === null || document.visibilityState !== "visible") return;
  for (const feed of [history.peek(), coverage.peek(), lag.peek()])
    if (feed.state.peek().error !== null || span.toMs > now.peek() - REVISED_MS) void feed.refresh();
}

/** Notices come at least once per recompute of the overview; three of them missing and a margin means a dead socket. */
function silenceMs(): number {
  const intervalS = overview.state.value.page?.meta.recompute_interval_s ?? 5;
  return Math.max(20_000, intervalS * 3_000 + 5_000);
}

export const live = new Live({
  open: () => new WebSocket(liveUrl(location)) as Socket,
  onRevision: (topic, revision) =>
    shown
      .peek()
      .find((feed) => feed.topic === topic)
      ?.notice(revision),
  onCatchUp: refreshAll,
  silenceMs,
});

/** Age of a page, by the server's clock. */
export function ageMs(meta: Meta, atMs: number): number {
  return Math.max(0, atMs - Date.parse(meta.generated_at));
}

/** A page that does not change is published anew after two intervals, so that short intervals need room for the way here. */
const STALE_AFTER_MS_MIN = 10_000;

/** A page older than three of its own intervals, and than ten seconds, is stale, and says so. */
export function isStale(meta: Meta, atMs: number): boolean {
  return ageMs(meta, atMs) > Math.max(STALE_AFTER_MS_MIN, 3_000 * meta.recompute_interval_s);
}

/** True while the data shown cannot be trusted to be current: no socket and no fetch that works, or a server that stopped. */
export const stale = computed(() => {
  const { page, error } = overview.state.value;
  return page !== null && (error !== null || isStale(page.meta, now.value));
});

/** The page that the server wrote into the document, if it did. */
export function initialOverview(document: Document): Envelope<Overview> | null {
  const text = document.getElementById("initial-overview")?.textContent;
  if (!text) return null;
  try {
    const page = JSON.parse(text) as Envelope<Overview>;
    return page?.data !== undefined && page.meta !== undefined ? page : null;
  } catch {
    return null;
  }
}

export function start(): void {
  const page = initialOverview(document);
  if (page !== null) overview.seed(page);
  startTicking();
  // Once now, and again whenever another range is looked at.
  effect(() => {
    for (const feed of shown.value) void feed.refresh();
  });
  live.start();
  setInterval(lookAgain, AGAIN_MS);
  addEventListener("online", () => live.hurry());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") live.hurry();
  });
}
