/** The newest operations as the live page shows them: messages in, newest first, bounded. */
import type { Num } from "./shapes";

/** An operation of the primary; the lists are in the order of the mirrors. */
export interface LiveOp {
  number: number;
  seq: Num;
  did: string;
  cid: string;
  kind: string;
  created_at: string;
  primary_at: string;
  is_primary_filled: boolean;
  verdicts: string[];
  offsets_ms: Num[];
  unknown_reasons: (string | null)[];
}

export interface LiveHost {
  id: string;
  rate_ops_per_s: Num;
  live_ops_total: number;
}

/** What the server tells: all operations, or those that changed. */
export interface OpsMessage {
  is_whole?: boolean;
  at: string;
  skipped_ops?: number;
  mirrors: string[];
  hosts: LiveHost[];
  ops: LiveOp[];
}

export interface OpsLog {
  /** When the server looked; null before the first message. */
  at: string | null;
  mirrors: readonly string[];
  /** Newest first. */
  ops: readonly LiveOp[];
  hosts: readonly LiveHost[];
  /** Operations that came and went between two messages. */
  skipped: number;
  /** Operations a second by host, one entry a second, oldest first. */
  paces: ReadonlyMap<string, readonly Num[]>;
  /** What the newest entry of the paces was reckoned from. */
  paced: { atMs: number; totals: ReadonlyMap<string, number> } | null;
}

export const OPS_MAX = 200;
/** Entries of a pace: a minute. */
export const PACES_MAX = 60;
const PACE_EVERY_MS = 1_000;

export const EMPTY: OpsLog = {
  at: null,
  mirrors: [],
  ops: [],
  hosts: [],
  skipped: 0,
  paces: new Map(),
  paced: null,
};

/** A message of the server, where it is one. */
export function readMessage(fields: ReadonlyMap<string, unknown>): OpsMessage | null {
  const isList = (name: string) => Array.isArray(fields.get(name));
  if (fields.get("type") !== "ops" || typeof fields.get("at") !== "string") return null;
  if (!isList("ops") || !isList("mirrors") || !isList("hosts")) return null;
  return Object.fromEntries(fields) as unknown as OpsMessage;
}

function same(a: LiveOp, b: LiveOp): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The log with a message in it. What did not change stays the same object, so that its row is not drawn again. */
export function merged(log: OpsLog, message: OpsMessage): OpsLog {
  const sameMirrors = message.mirrors.join() === log.mirrors.join();
  const held = new Map(sameMirrors ? log.ops.map((op) => [op.number, op]) : []);
  const kept = message.is_whole === true ? new Map<number, LiveOp>() : new Map(held);
  for (const op of message.ops) {
    const before = held.get(op.number);
    kept.set(op.number, before !== undefined && same(before, op) ? before : op);
  }
  const ops = [...kept.values()].sort((a, b) => b.number - a.number).slice(0, OPS_MAX);
  return {
    at: message.at,
    mirrors: sameMirrors ? log.mirrors : message.mirrors,
    ops,
    hosts: message.hosts,
    skipped: log.skipped + (message.skipped_ops ?? 0),
    ...paced(log, message),
  };
}

/** Counts what came since the last entry, once a second. */
function paced(log: OpsLog, message: OpsMessage): Pick<OpsLog, "paces" | "paced"> {
  const atMs = Date.parse(message.at);
  const totals = new Map(message.hosts.map((host) => [host.id, host.live_ops_total]));
  if (log.paced === null || !(atMs > log.paced.atMs)) return { paces: log.paces, paced: { atMs, totals } };
  const { paced: before } = log;
  const spanMs = atMs - before.atMs;
  if (spanMs < PACE_EVERY_MS) return { paces: log.paces, paced: before };
  const pace = (id: string, total: number): Num => {
    const last = before.totals.get(id);
    // A count that went back began anew: nothing is known of the time between.
    return last === undefined || total < last ? null : ((total - last) * 1_000) / spanMs;
  };
  const paces = new Map(
    [...totals].map(([id, total]) => [id, [...(log.paces.get(id) ?? []), pace(id, total)].slice(-PACES_MAX)]),
  );
  return { paces, paced: { atMs, totals } };
}

/** What the page shows of the operations, as it stands in the address. */
export interface OpsFilters {
  kind: string;
  /** Only this mirror's arrivals. */
  mirror: string;
  /** Only operations that stand so at one of the mirrors shown. */
  state: string;
}

export function readFilters(query: string): OpsFilters {
  const given = new URLSearchParams(query);
  return {
    kind: given.get("kind") ?? "",
    mirror: given.get("mirror") ?? "",
    state: given.get("state") ?? "",
  };
}

/** The address of the page that shows this. */
export function pageOf(filters: OpsFilters): string {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
  return query.size === 0 ? "/live" : `/live?${query}`;
}

/** Indices of the mirrors whose arrivals are shown. */
export function columns(mirrors: readonly string[], filters: OpsFilters): number[] {
  const all = mirrors.map((_, index) => index);
  return filters.mirror === "" ? all : all.filter((index) => mirrors[index] === filters.mirror);
}

export function fits(op: LiveOp, shown: readonly number[], filters: OpsFilters): boolean {
  if (filters.kind !== "" && op.kind !== filters.kind) return false;
  return filters.state === "" || shown.some((index) => op.verdicts[index] === filters.state);
}
