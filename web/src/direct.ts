/**
 * The comparison that a browser makes by itself: what it reads from the primary's and each mirror's own stream, by its own
 * clock. Pure: frames and instants in, figures out; bounded whatever the hosts send.
 */
import { KINDS } from "./words";

export type Phase = "none" | "opening" | "open" | "closed";

/** One host's figures. */
export interface DirectRow {
  id: string;
  phase: Phase;
  /** Why it is closed, or has no stream. */
  reason: string;
  events: number;
  /** Frames that are no operation. */
  unread: number;
  /** Operations by kind. */
  kinds: ReadonlyMap<string, number>;
  /** Events a second over the last seconds. */
  perSecond: number | null;
  /** now − createdAt by the browser's clock. */
  lastMs: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  /** Operations of the primary that came while this host was open too, and how many of them this host sent. */
  of: number;
  came: number;
}

const FRAME_CHARS_MAX = 262_144;
const CIDS_MAX = 20_000;
const LAGS_MAX = 1_000;
/** Seconds over which events are counted. */
const RATE_S = 10;
const CID = /^[a-z2-7]{20,80}$/;

interface Host {
  phase: Phase;
  reason: string;
  openedMs: number | null;
  events: number;
  unread: number;
  kinds: Map<string, number>;
  lags: number[];
  last: number | null;
  /** Seconds of the clock with the events in each, oldest first. */
  seconds: [second: number, events: number][];
  cids: Set<string>;
  of: number;
  came: number;
}

/** What a frame says, where it is an operation. */
export function readFrame(text: string): { cid: string; kind: string; createdMs: number } | null {
  if (text.length > FRAME_CHARS_MAX) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [cid, operation] = [fields.get("cid"), fields.get("operation")];
  const created = fields.get("createdAt") ?? fields.get("created_at");
  if (typeof cid !== "string" || !CID.test(cid) || typeof created !== "string") return null;
  if (operation === null || typeof operation !== "object") return null;
  return { cid, kind: kindOf(operation), createdMs: Date.parse(created) };
}

function kindOf(operation: object): string {
  const fields = new Map<string, unknown>(Object.entries(operation));
  switch (fields.get("type")) {
    case "plc_operation":
      return (fields.get("prev") ?? null) === null ? "genesis" : "update";
    case "plc_tombstone":
      return "tombstone";
    case "create":
      return "legacy_create";
    default:
      return "other";
  }
}

export const DIRECT_KINDS = [...KINDS, "other"] as const;

/** The address of a host's stream, as a browser can open it; null where it has none. */
export function streamOf(url: string, transport: string): string | null {
  if (!/^wss?:\/\/[a-z0-9._-]+(:\d+)?$/i.test(url)) return null;
  if (transport === "stream" || transport === "auto") return `${url}/export/stream`;
  return transport === "plcbundle" ? `${url}/ws` : null;
}

function remember<T>(set: Set<T>, value: T): void {
  set.add(value);
  if (set.size > CIDS_MAX) for (const oldest of set.values()) return void set.delete(oldest);
}

/** The value below which the share lies, of sorted values. */
function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
}

export class Comparison {
  #hosts: Map<string, Host>;
  #primary: string;
  /** Hosts that are open now; never changed in place, so that operations share it. */
  #open: ReadonlySet<string> = new Set();
  /** For which hosts an operation of the primary counts. */
  #eligible = new Map<string, ReadonlySet<string>>();

  constructor(ids: readonly string[], primary: string) {
    this.#primary = primary;
    this.#hosts = new Map(ids.map((id) => [id, fresh()]));
  }

  opening(id: string): void {
    this.#set(id, "opening", "");
  }

  opened(id: string, atMs: number): void {
    const host = this.#set(id, "open", "");
    if (host !== undefined) host.openedMs = atMs;
  }

  closed(id: string, reason: string): void {
    this.#set(id, "closed", reason);
  }

  without(id: string, reason: string): void {
    this.#set(id, "none", reason);
  }

  #set(id: string, phase: Phase, reason: string): Host | undefined {
    const host = this.#hosts.get(id);
    if (host !== undefined) Object.assign(host, { phase, reason });
    this.#open = new Set([...this.#hosts].filter(([, { phase }]) => phase === "open").map(([id]) => id));
    return host;
  }

  /** A frame of this host arrived. */
  take(id: string, text: string, atMs: number): void {
    const host = this.#hosts.get(id);
    if (host === undefined) return;
    const frame = readFrame(text);
    if (frame === null) {
      host.unread += 1;
      return;
    }
    host.events += 1;
    host.kinds.set(frame.kind, (host.kinds.get(frame.kind) ?? 0) + 1);
    count(host, Math.floor(atMs / 1_000));
    if (Number.isFinite(frame.createdMs)) {
      host.last = atMs - frame.createdMs;
      host.lags.push(host.last);
      if (host.lags.length > LAGS_MAX) host.lags.shift();
    }
    if (host.cids.has(frame.cid)) return;
    remember(host.cids, frame.cid);
    if (id === this.#primary) this.#published(frame.cid);
    else if (this.#eligible.get(frame.cid)?.has(id)) host.came += 1;
  }

  /** The primary sent it: it counts for every host that is open now. */
  #published(cid: string): void {
    for (const id of this.#open) {
      const host = this.#hosts.get(id);
      if (host === undefined) continue;
      host.of += 1;
      if (host.cids.has(cid)) host.came += 1;
    }
    this.#eligible.set(cid, this.#open);
    if (this.#eligible.size > CIDS_MAX)
      for (const oldest of this.#eligible.keys()) return void this.#eligible.delete(oldest);
  }

  rows(atMs: number): DirectRow[] {
    return [...this.#hosts].map(([id, host]) => {
      const lags = [...host.lags].sort((a, b) => a - b);
      return {
        id,
        phase: host.phase,
        reason: host.reason,
        events: host.events,
        unread: host.unread,
        kinds: new Map(host.kinds),
        perSecond: perSecond(host, atMs),
        lastMs: host.last,
        p50Ms: quantile(lags, 0.5),
        p95Ms: quantile(lags, 0.95),
        of: host.of,
        came: host.came,
      };
    });
  }
}

function fresh(): Host {
  return {
    phase: "opening",
    reason: "",
    openedMs: null,
    events: 0,
    unread: 0,
    kinds: new Map(),
    lags: [],
    last: null,
    seconds: [],
    cids: new Set(),
    of: 0,
    came: 0,
  };
}

function count(host: Host, second: number): void {
  const newest = host.seconds.at(-1);
  if (newest?.[0] === second) newest[1] += 1;
  else host.seconds.push([second, 1]);
  if (host.seconds.length > RATE_S + 1) host.seconds.shift();
}

/** Over whole seconds that are past, as many as the host was open for. */
function perSecond(host: Host, atMs: number): number | null {
  if (host.openedMs === null || host.phase !== "open") return null;
  const now = Math.floor(atMs / 1_000);
  const span = Math.min(RATE_S, now - Math.floor(host.openedMs / 1_000));
  if (span < 1) return null;
  const inSpan = host.seconds.filter(([second]) => second >= now - span && second < now);
  return inSpan.reduce((sum, [, events]) => sum + events, 0) / span;
}
