/**
 * Events that nodes report of themselves, as lanes: one a sender, with the times in which it reported nothing, and how far its
 * clock is from that of whoever took the event in.
 */

/** One event. */
export interface NodeEvent {
  /** Its number in the log. */
  added: number;
  /** When it happened, by the sender's clock; and when it was taken in. Milliseconds since 1970. */
  sentMs: number;
  receivedMs: number;
  sender: string;
  event: string;
  message: string;
}

/** What one sender reported, by its own clock; the oldest first. */
export interface Lane {
  sender: string;
  events: readonly NodeEvent[];
  gaps: readonly Gap[];
}

/** A time in which a sender reported nothing. */
export interface Gap {
  fromMs: number;
  toMs: number;
}

/** Events that are held: the newest. */
export const EVENTS_MAX = 1_000;
/** Longer without an event is a gap. */
const GAP_MS = 10 * 60_000;
const NS_PER_MS = 1_000_000;

function fieldsOf(value: unknown): Map<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

/** The event in one action of the log; null where it is none. */
export function readEvent(row: unknown): NodeEvent | null {
  const outer = fieldsOf(row);
  const action = fieldsOf(outer.get("action"));
  const [sender, event, message] = ["sender", "eventtype", "message"].map((key) => action.get(key));
  const [added, receivedMs] = [outer.get("added"), outer.get("time")];
  const sentMs = Number(action.get("time") ?? Number.NaN) / NS_PER_MS;
  if (action.get("type") !== "node/event" || typeof added !== "number" || typeof receivedMs !== "number")
    return null;
  if (typeof sender !== "string" || typeof event !== "string" || typeof message !== "string") return null;
  // What no calendar holds was not sent then: the time of its receipt is what is known.
  const isTime = Number.isFinite(sentMs) && !Number.isNaN(new Date(sentMs).getTime());
  return { added, receivedMs, sentMs: isTime ? sentMs : receivedMs, sender, event, message };
}

/** Those that are held and those that came, each once; beyond the limit the oldest go. */
export function withNew(held: readonly NodeEvent[], came: readonly NodeEvent[]): readonly NodeEvent[] {
  const last = held.at(-1)?.added ?? Number.NEGATIVE_INFINITY;
  const fresh = came.filter((event) => event.added > last);
  return fresh.length === 0 ? held : [...held, ...fresh].slice(-EVENTS_MAX);
}

/** One lane a sender, in the order in which JavaScript sorts their names. */
export function lanes(events: readonly NodeEvent[]): readonly Lane[] {
  const bySender = new Map<string, NodeEvent[]>();
  for (const event of events) {
    const lane = bySender.get(event.sender);
    if (lane === undefined) bySender.set(event.sender, [event]);
    else lane.push(event);
  }
  return [...bySender.keys()].sort().map((sender) => {
    const own = (bySender.get(sender) ?? []).toSorted((a, b) => a.sentMs - b.sentMs || a.added - b.added);
    return { sender, events: own, gaps: gapsOf(own) };
  });
}

function gapsOf(events: readonly NodeEvent[]): Gap[] {
  return events.slice(1).flatMap((event, before) => {
    const fromMs = events[before]?.sentMs ?? event.sentMs;
    return event.sentMs - fromMs > GAP_MS ? [{ fromMs, toMs: event.sentMs }] : [];
  });
}

/** From the first event of all to the last, and at least a second long, so that it can be drawn. */
export function spanOf(events: readonly NodeEvent[]): readonly [number, number] {
  const times = events.map((event) => event.sentMs);
  const from = times.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY);
  const to = times.reduce((most, ms) => Math.max(most, ms), Number.NEGATIVE_INFINITY);
  return [from, Math.max(to, from + 1_000)];
}
