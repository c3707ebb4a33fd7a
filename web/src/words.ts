/**
 * States, reasons and definitions as words. Colour never stands alone: each state has a tone (its colour), a shape and a
 * word. A word that a newer server invents is shown as it is, with the tone of "unknown".
 */
export type Tone = "ok" | "late" | "missed" | "extra" | "diverged" | "pending" | "unknown";

export interface StateWord {
  tone: Tone;
  shape: string;
  word: string;
  /** Worst first: the smaller, the higher in the table. */
  rank: number;
}

export const SHAPES: Record<Tone, string> = {
  ok: "●",
  late: "▲",
  missed: "✕",
  extra: "✚",
  diverged: "◆",
  pending: "○",
  unknown: "▨",
};

function state(tone: Tone, word: string, rank: number): StateWord {
  return { tone, shape: SHAPES[tone], word, rank };
}

const MIRROR_STATES = new Map<string, StateWord>([
  ["losing", state("missed", "losing", 0)],
  ["diverged", state("diverged", "diverged", 1)],
  ["disconnected", state("pending", "disconnected", 2)],
  ["lagging", state("late", "lagging", 3)],
  ["unsupported", state("unknown", "unsupported", 6)],
  ["unknown", state("unknown", "unknown", 5)],
  ["ok", state("ok", "complete", 8)],
]);

const LINK_STATES = new Map<string, StateWord>([
  ["synchronized", state("ok", "connected", 8)],
  ["catching_up", state("late", "catching up", 3)],
  ["connecting", state("pending", "connecting", 4)],
  ["waiting", state("pending", "waiting to retry", 2)],
  ["disconnected", state("pending", "disconnected", 2)],
  ["unsupported", state("unknown", "unsupported", 6)],
]);

const OBSERVER_STATES = new Map<string, StateWord>([
  ["ok", state("ok", "Observer OK", 8)],
  ["impaired", state("late", "Observer impaired", 0)],
  ["warming_up", state("pending", "Observer warming up", 1)],
]);

export function words(value: string): string {
  return value.replaceAll("_", " ");
}

function look(table: Map<string, StateWord>, value: string): StateWord {
  return table.get(value) ?? state("unknown", words(value), 4);
}

export const mirrorState = (value: string): StateWord => look(MIRROR_STATES, value);
export const linkState = (value: string): StateWord => look(LINK_STATES, value);
export const observerState = (value: string): StateWord => look(OBSERVER_STATES, value);

const REASONS = new Map<string, string>([
  ["no_data", "no data yet"],
  ["warming_up", "warming up"],
  ["observer_impaired", "the observer was impaired"],
  ["low_n", "too few operations for this percentile"],
  ["loss", "so many operations are missing that this percentile has no end"],
  ["link_down", "the link to this mirror is down"],
  ["no_rtt", "no round-trip time measured yet"],
]);

export function reasonText(reason: string): string {
  return REASONS.get(reason) ?? words(reason);
}

const FLAGS = new Map<string, string>([
  ["primary_down", "Our connection to the primary is down"],
  ["late_reader", "This observer was frozen or too busy to read in time"],
  ["net_down", "This observer's own network is failing"],
  ["self_down", "This observer was not running"],
  ["primary_delay", "The primary delivers its own operations late"],
  ["dropped_by_us", "This observer hit one of its own limits and let frames go"],
  ["mirror_down", "A link to a mirror is down"],
]);

export function flagText(flag: string): string {
  return FLAGS.get(flag) ?? words(flag);
}

/** Short definitions for the ⓘ of the page; the long ones stand in the methodology. */
export const DEFINITIONS = {
  coverage:
    "Share of the primary's decided operations that the mirror delivered in time to be counted: (on time + late + present) ÷ (those + missed). Undecided and unknown operations are left out, and shown. In brackets the 95 % interval of confidence (Wilson).",
  missed:
    "Operations of the primary that a mirror had not delivered when its grace ran out, while we were provably looking. What arrives later is “healed” and no longer counts here.",
  lag: "How much later than the primary a mirror delivered an operation to us, less half the difference of the round-trip times. ± is the uncertainty of that correction; a lag below it reads ≈ 0.",
  rate: "Operations per second that the primary publishes, as they arrive here.",
  late: "Delivered, but more than the on-time limit after the primary.",
  extra: "Operations that the mirror sent and the primary provably did not publish.",
  head: "How far the mirror is behind right now: operations of the primary that it has not delivered yet, and the age of the oldest of them.",
  rtt: "TCP round trip from this observer to the address that the stream is connected to; the minimum of the last 10 minutes.",
  connected: "Share of the time in which this observer was able to look that the link was up.",
  matrix:
    "One cell for each mirror and interval. The colour is the coverage of the operations that the primary published in that interval, in five fixed steps.",
} as const;
