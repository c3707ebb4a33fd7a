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
  links?: { self: string; next: string | null; html: string };
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
  completeness: Completeness;
}

/** How much of what the primary's own log lists its stream sent, as far as mirrors made it known. */
export interface Completeness {
  stream_ratio: Num;
  low95_ratio: Num;
  high95_ratio: Num;
  known_ops: number;
  stream_gap_ops: number;
}

/** Open misses by what is found about them. */
export interface MissSplit {
  open: number;
  roots: number;
  followers: number;
  by_confirmation: Record<string, number>;
  truncated?: boolean;
}

/** What samples of whole logs say, last 24 h. */
export interface Samples {
  sample_agreement_ratio: Num;
  low95_ratio: Num;
  high95_ratio: Num;
  judged: number;
  by_agreement: Record<string, number>;
  unanswered: number;
  unsettled: number;
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
  /** Since when it is in that state. */
  since_at?: string | null;
  headline?: string | null;
  misses?: MissSplit;
  content?: Record<string, number>;
  samples?: Samples;
  /** Whether it is the mirror to use now, where one can be told. */
  is_recommended?: boolean;
  /** How fast it is read: no faster than its share of what the primary does not know. */
  throttle?: {
    is_throttled: boolean;
    since_at: string | null;
    times: number;
    paused_s: number;
    foreign_ops: number;
  };
  /** Why this transport and no other, where it was chosen by probing. */
  transport_reason?: string | null;
  /** Below this, nothing is told of when an operation arrived. */
  resolution_ms?: Num;
  /** Share of the primary's operations that are looked for, where not all are. */
  sampling_ratio?: Num;
}

/** A mirror's own page. */
export interface MirrorDetail extends Mirror {
  windows: Record<string, Coverage>;
  rejects: {
    by_reason: Record<string, number>;
    last: { text: string; at: string } | null;
    text: string | null;
  };
  limits: { on_time_s: number; grace_s: number };
  observed_since_at: string | null;
  findings?: Noticed[];
  sample_differences?: { did: string; agreement: string; at: string }[];
}

/** Where an operation stands at one mirror. */
export interface AtMirror {
  verdict: string;
  unknown_reason?: string | null;
  confirmation?: string | null;
  follows?: string | null;
  followers?: Num;
  delivery?: string | null;
  raw_lag_ms?: Num;
  is_early?: boolean;
  is_healed?: boolean;
  is_credited?: boolean;
  is_altered?: boolean;
}

/** One operation at one mirror, in a list. */
export interface OpRow extends AtMirror {
  mirror: string;
  did: string;
  cid: string;
  seq: Num;
  kind: string;
  primary_at: string | null;
  mirror_at: string | null;
  created_at: string;
}

export interface OpsList {
  ops: OpRow[];
  /** The arrival of the oldest operation that is held: nothing before it can be listed. */
  held_from_at: string | null;
  /** Whether some operations that only mirrors have are not listed. */
  extra_truncated: boolean;
}

export interface Probe {
  host: string;
  url: string;
  at: string;
  status: Num;
  body_sha256: string | null;
  error: string | null;
}

export interface DidHost {
  id: string;
  name: string;
  role: string;
  standing: string | null;
  agreement: string | null;
  latest_probe: Probe | null;
}

export interface LogEntry {
  cid: string;
  is_cid_true: boolean;
  is_nullified: boolean;
  created_at: string;
  kind: string;
}

export interface Survey {
  at: string;
  asked_as: string;
  has_measure: boolean;
  is_identical: boolean | null;
  unsettled: string[];
  withdrawn: string[];
  hosts: {
    id: string;
    standing: string;
    agreement: string | null;
    total_entries: number;
    entries: LogEntry[];
  }[];
}

export interface DidOp {
  cid: string;
  seq: Num;
  kind: string;
  primary_at: string;
  is_primary_filled: boolean;
  created_at: string;
  mirrors: Record<string, OpRow>;
}

/** Something wrong with content or order. */
export interface Noticed {
  host: string;
  finding: string;
  did: string;
  cid: string;
  at: string;
}

export interface DidPage {
  did: string;
  hosts: DidHost[];
  ops: DidOp[];
  total_ops: number;
  truncated: boolean;
  extras: OpRow[];
  findings?: Noticed[];
  survey: Survey | null;
  is_recheck_allowed?: boolean;
}

export interface OpHost extends AtMirror {
  id: string;
  name: string;
  role: string;
  at: string | null;
  offset_ms: Num;
  deadline_at?: string | null;
  uncertainty_ms?: Num;
  correction_ms?: Num;
  check: { finding: string; is_final: boolean; looks: number; at: string; probes: Probe[] } | null;
}

export interface OpPage {
  did: string;
  cid: string;
  kind: string;
  seq: Num;
  created_at: string;
  is_published: boolean;
  first_at: string | null;
  hosts: OpHost[];
  findings?: Noticed[];
}

export interface Observer {
  state: string;
  flags: string[];
  since_at: string | null;
  /** What is wrong with keeping data, each with its beginning; empty when nothing is. */
  degraded?: string[];
  /** When lifetime totals began anew because nothing of an older file could be read. */
  totals_restarted_at?: string | null;
}

export interface Overview {
  headline: string;
  observer: Observer;
  primary: Primary;
  mirrors: Mirror[];
}

/** What only one of two hosts has. */
export interface OnlyOp {
  did: string;
  cid: string;
  kind: string;
  at: string;
}

/** Two hosts side by side, without the primary as their judge. */
export interface Compare {
  a: string;
  b: string;
  both_ops: number;
  only_a_ops: number;
  only_b_ops: number;
  pending_ops: { a: number; b: number };
  unknown_ops: { a: number; b: number };
  lead: {
    n: number;
    p25_ms: Num;
    median_ms: Num;
    p75_ms: Num;
    corrected_median_ms: Num;
    uncertainty_ms: Num;
  };
  only_a: OnlyOp[];
  only_b: OnlyOp[];
  held_from_at: string | null;
  is_window_held: boolean;
  truncated: boolean;
}

export interface Formula {
  id: string;
  formula: string;
  meaning: string;
}

export interface Methodology {
  formulas: Formula[];
  parameters: {
    look_back_s: number;
    revision_horizon_s: number;
    settle_s: number;
    interval_s: number;
    mirrors: { id: string; on_time_s: number; grace_s: number }[];
  };
  are_extras_confirmed_by_export: boolean;
}

export interface Recomputer {
  name: string;
  interval_s: number;
  runs: number;
  failures: number;
  last_compute_ms: Num;
  last_error: string | null;
  age_ms: Num;
  bytes: number;
}

/** What the observer does itself. A newer server may know more groups of numbers than these. */
export interface Internals {
  recomputers: Recomputer[];
  queues: { name: string; limit: Num; length?: Num }[];
  degraded: string[];
  restarts: Record<string, number>;
  [group: string]: unknown;
}

export interface EventRow {
  id: number;
  at: string;
  kind: string;
  source: string | null;
  text: string;
  /** More of it, by kind. */
  detail: Record<string, unknown> | null;
}

export interface Events {
  events: EventRow[];
  kept_in_memory: number;
}

/** Shares and counts of every mirror over one window. */
export interface CoveragePage {
  mirrors: { id: string; coverage: Coverage }[];
}

/** Percentiles of every mirror over one window. */
export interface LagPage {
  mirrors: { id: string; lag: Lag }[];
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

/** A time in which a mirror was not well. */
export interface Incident {
  id: string;
  mirror: string;
  phase: string;
  is_open: boolean;
  started_at: string;
  ended_at: string | null;
  worst_state: string;
  state: string;
  headline: string;
  bad_s: number;
  interruptions: { from_at: string; to_at: string | null; state: string; why: string }[];
  changes_not_listed?: number;
  link_html?: string;
  link_misses?: string;
  changes?: { at: string; from: string; to: string; why: string; event_id: Num }[];
}

export interface Incidents {
  open: number;
  incidents: Incident[];
  truncated: boolean;
}

/** How operations spread over the mirrors. */
export interface Propagation {
  mirrors: string[];
  left_out_mirrors: { id: string; known_ratio: Num; reason: string }[];
  ops_in_window: number;
  ops_used: number;
  ops_left_out: number;
  /** Every so many-th operation was looked at. */
  sampled_every: number;
  at_s: number[];
  mean_mirror_ratio: number[] | null;
  by_mirrors: {
    mirrors: number;
    op_ratio: number[];
    never_ops: number;
    p50_ms: Num;
    p95_ms: Num;
    reasons?: Record<string, string>;
  }[];
  reason: string | null;
}

/** One mirror by windows of one length, in columns, oldest first. */
export interface MirrorWindows {
  id: string;
  resolution: string;
  resolution_s: number;
  t_unix_ms: number[];
  status: (string | null)[];
  is_impaired: boolean[];
  decided: Num[];
  late: Num[];
  missed: Num[];
  unknown: Num[];
  pending: Num[];
  healed: Num[];
  lag_n: Num[];
  lag_p5_ms: Num[];
  lag_p50_ms: Num[];
  lag_p95_ms: Num[];
  lag_uncertainty_ms: Num[];
}

/** The distribution of one mirror's lags over one window. */
export interface MirrorLag {
  id: string;
  lag: Lag;
  histogram: { from_ms: number[]; to_ms: number[]; count: number[] };
  lost_ops: number;
}

/** How far one mirror was behind, every half a minute. */
export interface MirrorFreshness {
  id: string;
  freshness: Freshness;
  series: {
    resolution_s: number;
    kept_s: number;
    t_unix_ms: number[];
    head_age_s: Num[];
    head_lag_ops: Num[];
    reason: (string | null)[];
  };
}

/** Round trips to one mirror and to the primary, every half a minute. */
export interface MirrorRtt {
  id: string;
  rtt: Rtt;
  primary_rtt: Rtt;
  correction_ms: Num;
  uncertainty_ms: Num;
  series: {
    resolution_s: number;
    kept_s: number;
    t_unix_ms: number[];
    tcp_min_ms: Num[];
    tcp_max_ms: Num[];
    tcp_info_min_ms: Num[];
    primary_tcp_min_ms: Num[];
  };
}

/** What one mirror lacks and what only it has, by age. */
export interface MirrorDivergence {
  id: string;
  age_ge_s: number[];
  missing_ops: number[];
  extra_ops: number[];
  altered_ops: number;
}

export interface Session {
  opened_at: string;
  closed_at: string | null;
  ended_by: string | null;
  code: Num;
  reason: string | null;
  resumed_from: Num;
  is_caught_up: boolean;
}

/** What one mirror is held to, in one respect. */
export interface Objective {
  slo: string;
  target_ratio: number;
  ops: number;
  fault_ops: number;
  good_ratio: Num;
  budget_left_ratio: Num;
  alarm: string;
  burn_rates: Record<string, Num>;
}

export interface Slo {
  mirrors: { id: string; objectives: Objective[] }[];
}

export interface Readiness {
  id: string;
  readiness: string;
  criteria: { id: string; status: string; why: string; link_json: string }[];
}

export interface Sessions {
  id: string;
  connected_ratio: Num;
  sessions: Session[];
  truncated: boolean;
}
