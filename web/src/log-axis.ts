/**
 * The axis of every distribution of lags: logarithmic, and the same from 1 ms to 100 s for every mirror and window, so that two
 * pictures can be compared. What is smaller (or negative) stands at its beginning.
 */
const FROM_MS = 1;
const TO_MS = 100_000;

/** The decades, where labels stand. */
export const DECADES_MS = [1, 10, 100, 1_000, 10_000, 100_000] as const;

/** The 2 and 5 of every decade, where the grid is fainter. */
export const MINOR_MS: readonly number[] = DECADES_MS.slice(0, -1).flatMap((ms) => [2 * ms, 5 * ms]);

/** The place of a duration on the axis, 0 to 1; what lies outside stands at its end. */
export function place(ms: number): number {
  if (ms <= FROM_MS) return 0;
  return Math.min(1, Math.log10(ms / FROM_MS) / Math.log10(TO_MS / FROM_MS));
}

/** A share (0–1) for each duration, ascending: one line of a distribution. */
export type Curve = readonly (readonly [ms: number, ratio: number])[];

/** The share that had come by `ms`: that of the last point which is not later. */
export function shareAt(curve: Curve, ms: number): number {
  return curve.findLast(([at]) => at <= ms)?.[1] ?? 0;
}

/** A curve as the path of an SVG of that size, in steps: between two points nothing is known to have come. */
export function stepPath(curve: Curve, width: number, height: number): string {
  const y = (ratio: number) => ((1 - ratio) * height).toFixed(1);
  let path = `M0 ${y(shareAt(curve, FROM_MS))}`;
  for (const [ms, ratio] of curve) {
    if (ms <= FROM_MS || ms > TO_MS) continue;
    path += `H${(place(ms) * width).toFixed(1)}V${y(ratio)}`;
  }
  return curve.length === 0 ? "" : `${path}H${width.toFixed(1)}`;
}

/** The share of each bin of a histogram and of all before it; with `lost`, those that never came are counted too. */
export function cumulated(histogram: Histogram, lost: number): [number, number][] {
  const total = histogram.count.reduce((sum, n) => sum + n, 0) + lost;
  let sum = 0;
  if (total === 0) return [];
  return histogram.count.map((n, index) => {
    sum += n;
    return [histogram.to_ms[index] ?? TO_MS, sum / total];
  });
}

/** Counts by half-open bins, ascending. */
export interface Histogram {
  from_ms: readonly number[];
  to_ms: readonly number[];
  count: readonly number[];
}
