/**
 * A long history in as many cells as a screen has room for. A cell stands for several windows and shows the worst of them: a
 * mean would hide what one looks for.
 */
import type { History, HistoryMirror, Num } from "./shapes";

/** Cells of the matrix at most, but for one at each end that its span begins or ends within. */
const CELLS_MAX = 72;
/** How many windows one cell may stand for, so that cells begin on round times. */
const FACTORS = [1, 2, 3, 4, 6, 12, 24, 48];

export interface Coarse extends History {
  /** Windows in one cell. */
  parts: number;
  /** Seconds of each of them. */
  part_s: number;
}

function sum(values: readonly (Num | undefined)[]): Num {
  const known = values.filter((value): value is number => typeof value === "number");
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}

function extreme(values: readonly (Num | undefined)[], pick: (a: number, b: number) => number): Num {
  const known = values.filter((value): value is number => typeof value === "number");
  return known.length === 0 ? null : known.reduce((a, b) => pick(a, b));
}

/** The status of the cell: whatever can still change makes it provisional. */
function statusOf(words: readonly (string | null | undefined)[]): string | null {
  const open = words.find((word) => word === "open" || word === "settling" || word === "provisional");
  return open ?? words.findLast((word) => typeof word === "string") ?? null;
}

function mirrorOf(mirror: HistoryMirror, groups: readonly (readonly number[])[]): HistoryMirror {
  const each =
    <T, R>(of: (values: (T | undefined)[]) => R) =>
    (column: readonly T[]): R[] =>
      groups.map((indices) => of(indices.map((index) => column[index])));
  const [total, least, most] = [
    each<Num, Num>(sum),
    each<Num, Num>((values) => extreme(values, Math.min)),
    each<Num, Num>((values) => extreme(values, Math.max)),
  ];
  return {
    id: mirror.id,
    eligible: total(mirror.eligible),
    decided: total(mirror.decided),
    missed: total(mirror.missed),
    late: total(mirror.late),
    extra: total(mirror.extra),
    pending: total(mirror.pending),
    unknown: total(mirror.unknown),
    coverage_ratio: least(mirror.coverage_ratio),
    lag_p50_ms: most(mirror.lag_p50_ms),
    lag_p95_ms: most(mirror.lag_p95_ms),
    status: each<string | null, string | null>(statusOf)(mirror.status),
  };
}

/** `history` in at most about seventy cells; as it is where it has no more. */
export function coarsened(history: History): Coarse {
  const { resolution_s, t_unix_ms } = history;
  const parts = FACTORS.find((factor) => t_unix_ms.length / factor <= CELLS_MAX) ?? FACTORS.at(-1) ?? 1;
  const span = parts * resolution_s * 1000;
  const starts = [...new Set(t_unix_ms.map((t) => Math.floor(t / span) * span))];
  const groups = starts.map((start) =>
    t_unix_ms.flatMap((t, index) => (Math.floor(t / span) * span === start ? [index] : [])),
  );
  if (parts === 1) return { ...history, parts, part_s: resolution_s };
  return {
    resolution_s: resolution_s * parts,
    t_unix_ms: starts,
    primary: { ops: groups.map((indices) => sum(indices.map((index) => history.primary.ops[index]))) },
    impaired: groups.map((indices) => indices.some((index) => history.impaired[index] === true)),
    reason: groups.map((indices) => history.reason?.[indices[0] ?? 0] ?? null),
    mirrors: history.mirrors.map((mirror) => mirrorOf(mirror, groups)),
    parts,
    part_s: resolution_s,
  };
}
