/**
 * The JSON shapes of the API that this page reads, and nothing else. Every number may be `null`; the reason then stands in
 * a sibling `<name>_reason` or in `reasons.<name>`. Enumerations are open: a newer server may send words unknown here.
 */
export type Num = number | null;

export interface Meta {
  generated_at: string;
  snapshot_id: string;
  revision: number;
  age_ms?: Num;
  recompute_interval_s: number;
  compute_ms?: Num;
  window?: { from_at: string | null; to_at: string | null; status: string } | null;
  method_version?: string;
}

export interface Envelope<T> {
  data: T;
  meta: Meta;
}

export interface Counts {
  eligible?: Num;
  decided?: Num;
  on_time?: Num;
  late?: Num;
  present?: Num;
  missed?: Num;
  pending?: Num;
  unknown?: Num;
  extra?: Num;
  healed?: Num;
}

export interface Coverage {
  coverage_ratio: Num;
  low95_ratio: Num;
  high95_ratio: Num;
  timely_ratio?: Num;
  observed_ratio: Num;
  counts: Counts;
}

export interface Lag {
  n: Num;
  p50_ms: Num;
  p95_ms: Num;
  p99_ms: Num;
  uncertainty_ms: Num;
  correction_ms?: Num;
  reasons?: Record<string, string>;
}

export interface Rtt {
  tcp_ms: Num;
  tcp_info_ms?: Num;
  samples?: Num;
}

export interface Link {
  state: string;
  since_at?: string | null;
  connected_ratio: Num;
  last_error?: { class: string; text: string; at: string } | null;
  last_close?: { code: number; reason: string; at: string } | null;
  reconnects?: Num;
}

export interface Freshness {
  head_lag_ops: Num;
  head_age_s: Num;
}

export interface Primary {
  id: string;
  name: string;
  url: string;
  link: Link;
  rtt: Rtt;
  rate_ops_per_s: Num;
  received_ops: Num;
}

export interface Mirror {
  id: string;
  name: string;
  url: string;
  transport: string;
  link: Link;
  coverage: Coverage;
  lag: Lag;
  rtt: Rtt;
  freshness: Freshness;
  received_ops: Num;
  rejected_frames: Num;
  state: string;
  headline?: string | null;
}

export interface Observer {
  state: string;
  flags: string[];
  since_at: string | null;
}

export interface Overview {
  headline: string;
  observer: Observer;
  primary: Primary;
  mirrors: Mirror[];
}

/** Columns of one mirror: one entry per interval of the page, oldest first. */
export interface HistoryMirror {
  id: string;
  eligible: Num[];
  decided: Num[];
  missed: Num[];
  late: Num[];
  extra: Num[];
  pending: Num[];
  unknown: Num[];
  coverage_ratio: Num[];
  lag_p50_ms: Num[];
  lag_p95_ms: Num[];
  status: (string | null)[];
}

export interface History {
  resolution_s: number;
  t_unix_ms: number[];
  primary: { ops: Num[] };
  impaired: (boolean | null)[];
  mirrors: HistoryMirror[];
}

/** Why `key` of `holder` is null: the server's word, or "no_data" where it gave none. */
export function reasonOf(holder: object, key: string): string {
  const fields = new Map<string, unknown>(Object.entries(holder));
  const sibling = fields.get(`${key}_reason`);
  if (typeof sibling === "string") return sibling;
  const reasons = fields.get("reasons");
  if (reasons !== null && typeof reasons === "object") {
    const reason = new Map<string, unknown>(Object.entries(reasons)).get(key);
    if (typeof reason === "string") return reason;
  }
  return "no_data";
}
