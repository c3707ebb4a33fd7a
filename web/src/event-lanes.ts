/** What happened, as marks in lanes over one axis of time: a lane for the observer, for the primary and for each mirror. */
import * as format from "./format";
import type { EventRow } from "./shapes";
import { linkState, mirrorState, type StateWord, words } from "./words";

/** The observer among the sources. */
export const OBSERVER_LANE = "observer";

export interface Mark {
  id: number;
  /** When, as the API tells it. */
  at: string;
  /** A change of state, a step of a link, or anything else. */
  what: "state" | "link" | "other";
  /** How it stood from then on, where that is what changed. */
  state: StateWord | null;
  text: string;
}

export interface Lane {
  /** Id of the source, or {@link OBSERVER_LANE}. */
  id: string;
  /** Oldest first. */
  marks: Mark[];
}

const LINK = "link_";

function markOf({ id, at, kind, text, detail }: EventRow): Mark {
  const mark = { id, at, text: `${words(kind)}: ${text}` };
  const to = kind === "state_changed" ? detail?.to : undefined;
  if (typeof to === "string") return { ...mark, what: "state", state: mirrorState(to) };
  if (kind.startsWith(LINK)) return { ...mark, what: "link", state: linkState(kind.slice(LINK.length)) };
  return { ...mark, what: "other", state: null };
}

/** The events (newest first) of `sources` and of the observer, as far as they lie in the time that is shown. */
export function lanesOf(
  events: readonly EventRow[],
  sources: readonly string[],
  [fromMs, toMs]: readonly [number, number],
): Lane[] {
  const lanes = [OBSERVER_LANE, ...sources].map((id): Lane => ({ id, marks: [] }));
  const byId = new Map(lanes.map((lane) => [lane.id, lane]));
  for (const event of events.toReversed()) {
    const atMs = Date.parse(event.at);
    if (atMs >= fromMs && atMs < toMs) byId.get(event.source ?? OBSERVER_LANE)?.marks.push(markOf(event));
  }
  return lanes;
}

/** Before this time events are no longer in the list, though there may have been some; `fromMs` where it has all. */
export function listedFrom(events: readonly EventRow[], kept: number, fromMs: number): number {
  const oldest = events.at(-1);
  return oldest === undefined || events.length < kept ? fromMs : Math.max(fromMs, Date.parse(oldest.at));
}

/** A link that was lost, or that fails for another reason than before. */
function isFailure({ what, state }: Mark): boolean {
  return what === "link" && state?.tone !== "ok" && state?.tone !== "late";
}

function counted(lanes: readonly Lane[], fits: (mark: Mark) => boolean): [number, number] {
  const counts = lanes.map(({ marks }) => marks.filter(fits).length);
  return [counts.reduce((sum, n) => sum + n, 0), counts.filter((n) => n > 0).length];
}

function phrase([n, sources]: [number, number], one: string, many: string): string {
  return `${format.count(n)} ${n === 1 ? one : many}${n === 0 ? "" : ` at ${sources === 1 ? "one source" : `${sources} sources`}`}`;
}

/** One sentence for all lanes. */
export function lanesSummary(lanes: readonly Lane[]): string {
  const sources = lanes.filter(({ id }) => id !== OBSERVER_LANE);
  const own = lanes.find(({ id }) => id === OBSERVER_LANE)?.marks.length ?? 0;
  const changes = phrase(
    counted(sources, ({ what }) => what === "state"),
    "change of state",
    "changes of state",
  );
  const failures = phrase(counted(sources, isFailure), "link failure", "link failures");
  return `In the time shown: ${changes}, ${failures}, ${format.count(own)} ${own === 1 ? "event" : "events"} of the observer itself.`;
}
