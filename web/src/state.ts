/** What the page knows: its feeds, its live socket, and how old what it shows is. Wiring only. */
import { computed } from "@preact/signals";
import { now, startTicking } from "./clock";
import { Feed } from "./feed";
import { Live, liveUrl, type Socket } from "./live";
import type { Envelope, History, Meta, Overview } from "./shapes";

export const overview = new Feed<Overview>("overview");
export const history = new Feed<History>("analytics/history?window=6h");

const feeds = [overview, history];
const byTopic = new Map(feeds.map((feed) => [feed.topic, feed]));

function refreshAll(): void {
  for (const feed of feeds) void feed.refresh();
}

/** Notices come at least once per recompute of the overview; three of them missing and a margin means a dead socket. */
function silenceMs(): number {
  const intervalS = overview.state.value.page?.meta.recompute_interval_s ?? 5;
  return Math.max(20_000, intervalS * 3_000 + 5_000);
}

export const live = new Live({
  open: () => new WebSocket(liveUrl(location)) as Socket,
  onRevision: (topic, revision) => byTopic.get(topic)?.notice(revision),
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
  refreshAll();
  live.start();
  addEventListener("online", () => live.hurry());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") live.hurry();
  });
}
