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
  ["diverged", state("diverged", "diverged", 0)],
  ["losing", state("missed", "losing", 1)],
  ["stalled", state("late", "stalled", 1.5)],
  ["disconnected", state("pending", "disconnected", 2)],
  ["throttled", state("late", "throttled", 2.5)],
  ["lagging", state("late", "lagging", 3)],
  ["unsupported", state("unknown", "unsupported", 5)],
  ["unknown", state("unknown", "unknown", 6)],
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

const ALARMS = new Map<string, StateWord>([
  ["none", state("ok", "none", 8)],
  ["ticket", state("late", "look within days", 3)],
  ["page", state("missed", "look now", 0)],
]);

const READINESS = new Map<string, StateWord>([
  ["ready", state("ok", "ready", 8)],
  ["not_ready", state("missed", "not ready", 0)],
  ["unknown", state("pending", "cannot be told yet", 4)],
]);

const CRITERIA = new Map<string, StateWord>([
  ["pass", state("ok", "holds", 8)],
  ["fail", state("missed", "fails", 0)],
  ["unknown", state("pending", "open", 4)],
]);

export const alarmState = (value: string): StateWord => look(ALARMS, value);
export const readinessState = (value: string): StateWord => look(READINESS, value);
export const criterionState = (value: string): StateWord => look(CRITERIA, value);

const OUTCOMES = new Map<string, StateWord>([
  ["on_time", state("ok", "on time", 8)],
  ["present", state("ok", "present", 7)],
  ["published", state("ok", "published", 8)],
  ["late", state("late", "late", 3)],
  ["missed", state("missed", "missed", 0)],
  ["pending", state("pending", "pending", 4)],
  ["unknown", state("unknown", "unknown", 5)],
  ["withdrawn", state("unknown", "withdrawn", 5)],
  ["disputed", state("diverged", "disputed", 2)],
  ["not_eligible", state("unknown", "not looked for", 6)],
  ["extra", state("extra", "extra", 1)],
  ["extra_pending", state("pending", "extra, in doubt", 4)],
  ["extra_unknown", state("unknown", "extra, cannot be told", 5)],
  ["extra_explained", state("unknown", "extra, explained", 5)],
  ["not_published", state("pending", "not published", 4)],
  ["not_delivered", state("unknown", "not delivered", 6)],
]);

/** Where an operation stands at a host. */
export const outcome = (value: string): StateWord => look(OUTCOMES, value);

/** What asking about a miss or an extra came to: a short word for lists, a sentence for whoever wants to know. */
const FINDINGS = new Map<string, [string, string]>([
  [
    "stream_loss",
    ["only its stream lost it", "The mirror's own log lists the operation; only its stream did not send it."],
  ],
  ["data_loss", ["its log lacks it", "The mirror knows the DID, and its log does not list the operation."]],
  ["did_unknown", ["it does not know the DID", "The mirror does not know the DID at all."]],
  ["unverifiable", ["could not be verified", "The host that would know gave no usable answer."]],
  [
    "primary_stream_gap",
    [
      "the primary has it",
      "The primary's log lists it: its stream, or our reading of it, lost it. The mirror is credited.",
    ],
  ],
  ["nullified", ["nullified by the primary", "The primary lists the operation as nullified."]],
  ["withdrawn", ["withdrawn by the primary", "The primary had published it and does not list it any more."]],
  [
    "known_invalid",
    ["breaks the rules", "It breaks the rules of validity, and the primary rightly does not list it."],
  ],
  [
    "primary_denies",
    ["the primary denies it", "It keeps the rules, and the primary's log does not list it."],
  ],
  ["corrupt", ["corrupt", "It was sent under a CID that is not that of its content; the frame is refused."]],
  ["altered", ["altered", "It was sent under another DID, or with another createdAt, than the primary's."]],
  ["order_violation", ["out of order", "It came before the operation that it names as its prev."]],
  ["equivocation", ["equivocation", "The same seq, or the same prev, came with two contents."]],
  ["duplicate", ["duplicate", "It came live more than once."]],
  [
    "seq_regress",
    [
      "numbers went back",
      "The source's own numbers went back: a new epoch of its server, no fault by itself.",
    ],
  ],
  ["none", ["not asked yet", "No host has been asked about it yet."]],
]);

export function findingWord(finding: string | null | undefined): string {
  const known = finding ?? "none";
  return FINDINGS.get(known)?.[0] ?? words(known);
}

export function findingText(finding: string | null | undefined): string {
  const known = finding ?? "none";
  return FINDINGS.get(known)?.[1] ?? words(known);
}

const AGREEMENTS = new Map<string, StateWord>([
  ["same", state("ok", "the same log", 8)],
  ["behind", state("late", "behind", 3)],
  ["same_set_other_order", state("diverged", "another order", 2)],
  ["nullified_differs", state("diverged", "nullified differs", 1)],
  ["fork", state("diverged", "another history", 0)],
  ["invalid", state("missed", "not sound", 0)],
]);

/** How a host's log agrees with the primary's. */
export const agreement = (value: string): StateWord => look(AGREEMENTS, value);

const STANDINGS = new Map<string, string>([
  ["log", "gave its log"],
  ["damaged", "gave a log with entries that cannot be read"],
  ["unknown", "does not know the DID"],
  ["gone", "serves the DID no more"],
  ["unusable", "gave no usable answer"],
  ["no_answer", "did not answer"],
]);

export const standing = (value: string): string => STANDINGS.get(value) ?? words(value);

const TRANSPORTS = new Map<string, string>([
  ["stream", "its live stream (/export/stream)"],
  ["export", "polling its export (/export)"],
  ["plcbundle", "its bundle socket (/ws)"],
  ["resolve", "asking for single operations (/{did}/log/audit)"],
  ["auto", "whatever it serves, which is being found out"],
]);

export const transportText = (value: string): string => TRANSPORTS.get(value) ?? words(value);

export const KINDS = ["genesis", "update", "tombstone", "legacy_create"] as const;
/** Outcomes that the list of operations can be asked for, as the API names them. */
export const OUTCOME_WORDS = [
  "missed",
  "late",
  "extra",
  "extra_pending",
  "extra_unknown",
  "extra_explained",
  "pending",
  "unknown",
  "present",
  "withdrawn",
  "disputed",
  "on_time",
  "not_eligible",
] as const;
/** Findings that explain a miss or an extra, and `none` for those that nobody explained yet. */
export const FINDING_WORDS = [
  "stream_loss",
  "data_loss",
  "did_unknown",
  "unverifiable",
  "primary_stream_gap",
  "nullified",
  "withdrawn",
  "known_invalid",
  "primary_denies",
  "none",
] as const;

const REASONS = new Map<string, string>([
  ["no_data", "no data yet"],
  ["before_first_start", "before the first start"],
  ["retention", "not kept any more"],
  ["warming_up", "warming up"],
  ["loading", "being fetched"],
  ["observer_impaired", "the observer was impaired"],
  ["low_n", "too few operations for this percentile"],
  ["loss", "so many operations are missing that this percentile has no end"],
  ["link_down", "the link to this mirror is down"],
  ["no_rtt", "no round-trip time measured yet"],
  ["not_delivered", "not delivered"],
  ["not_published", "the primary has not published it"],
  ["primary_down", "our link to the primary was down, or its stream lost this one"],
  ["self_down", "this observer was not running"],
  ["evicted", "let go for lack of room before it was decided"],
  ["unanswered", "the host never answered about its DID"],
  ["dropped_by_us", "this observer let frames go"],
  ["no_range", "the primary's own operations around it are not complete here"],
  ["no_chain", "the primary's export could not be asked"],
  ["too_old", "older than what is held of the primary"],
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
  incident:
    "A time in which a mirror was lagging, stalled, losing or diverged. While it cannot be observed the incident is interrupted, not over.",
  propagation:
    "The share of the primary's operations that one, two … all mirrors had so long after the primary, by corrected arrival. What a mirror never delivered it never had. Only operations whose times are known at all of these mirrors are counted.",
  divergence:
    "Operations that the primary has and the mirror has not, or the other way round, each counted once it has been so for at least that long of proved observation.",
  budget:
    "The faults that the objective leaves room for in 30 days, and what of it is left. A burn rate of 1 uses it up in 30 days.",
  matrix:
    "One cell for each mirror and interval. The colour is the coverage of the operations that the primary published in that interval, in five fixed steps.",
} as const;
