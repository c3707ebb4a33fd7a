/** What `/api/v1/vantages` answers with. */
import type { Num } from "./shapes";

export interface Vantage {
  id: string;
  is_own: boolean;
  region: string | null;
  via: string | null;
  state: string;
  flags: string[];
  headline: string | null;
  told_at: string | null;
  overview_age_s: Num;
  let_go: number;
  refused: Record<string, number>;
}

export interface VantageFigures {
  window: string;
  decided: number;
  missed: number;
  late: number;
  coverage_ratio: Num;
  lag: { n: number; p50_ms: Num; p95_ms: Num; uncertainty_ms: Num };
}

export interface MirrorAtVantage {
  id: string;
  state: string | null;
  link: string | null;
  headline: string | null;
  missed_by_mirror_ops: number;
  missed_by_path_ops: number;
  figures: VantageFigures[];
}

export interface VantageMiss {
  did: string;
  cid: string;
  primary_at: string;
  blame: string;
  missing: string[];
  having: string[];
  awaited: string[];
  silent: { id: string; why: string }[];
}

export interface VantageMirror {
  url: string;
  name: string | null;
  id: string | null;
  verdict: string;
  why: string;
  figures: VantageFigures[];
  vantages: MirrorAtVantage[];
  misses: VantageMiss[];
  truncated: boolean;
}

export interface DifferingOperation {
  did: string;
  cid: string;
  numbers: { seq: number; vantages: string[] }[];
}

export interface DifferencePart {
  shown_to: string[];
  not_shown_to: string[];
  is_renumbered: boolean;
  ops: number;
  listed: DifferingOperation[];
}

export interface DifferingBlock {
  first_seq: number;
  primary: string;
  text: string;
  operations: {
    told_by: string[];
    not_held_by: string[];
    awaited_from: string[];
    parts: DifferencePart[];
    left_out_ops: number;
  };
}

export interface Vantages {
  own: string;
  vantages: Vantage[];
  mirrors: VantageMirror[];
  primary: { state: string; text: string; differing: DifferingBlock[] };
}
