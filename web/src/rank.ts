/** Which mirror is worst: the order of the table, and the mirrors that the four figures name. */
import type { Mirror } from "./shapes";
import { mirrorState } from "./words";

const last = Number.POSITIVE_INFINITY;

/** Worst first: by state, then coverage, then lag, then name, so that the order is total and does not flicker. */
export function worstFirst(mirrors: readonly Mirror[]): Mirror[] {
  return [...mirrors].sort(
    (a, b) =>
      mirrorState(a.state).rank - mirrorState(b.state).rank ||
      compare(a.coverage.coverage_ratio ?? last, b.coverage.coverage_ratio ?? last) ||
      compare(b.lag.p95_ms ?? -last, a.lag.p95_ms ?? -last) ||
      a.name.localeCompare(b.name, "en"),
  );
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** The mirror with the lowest coverage, among those that have one. */
export function worstCoverage(mirrors: readonly Mirror[]): Mirror | null {
  return least(mirrors, (mirror) => mirror.coverage.coverage_ratio);
}

/** The mirror with the largest p95 lag, among those that have one. */
export function slowest(mirrors: readonly Mirror[]): Mirror | null {
  return least(mirrors, (mirror) => (mirror.lag.p95_ms === null ? null : -mirror.lag.p95_ms));
}

function least(mirrors: readonly Mirror[], key: (mirror: Mirror) => number | null): Mirror | null {
  let best: Mirror | null = null;
  let bestKey = last;
  for (const mirror of mirrors) {
    const value = key(mirror);
    if (value !== null && value < bestKey) {
      best = mirror;
      bestKey = value;
    }
  }
  return best;
}

export interface MissTotals {
  missed: number;
  healed: number;
  decided: number;
  /** Mirrors with at least one open miss. */
  mirrors: number;
}

/** Misses of all mirrors together; null while no mirror has a decided operation. */
export function missTotals(mirrors: readonly Mirror[]): MissTotals | null {
  const totals: MissTotals = { missed: 0, healed: 0, decided: 0, mirrors: 0 };
  for (const { coverage } of mirrors) {
    totals.missed += coverage.counts.missed ?? 0;
    totals.healed += coverage.counts.healed ?? 0;
    totals.decided += coverage.counts.decided ?? 0;
    if ((coverage.counts.missed ?? 0) > 0) totals.mirrors += 1;
  }
  return totals.decided > 0 ? totals : null;
}
