/** The overview with the figures of another range in place of its own. */
import type { Coverage, CoveragePage, Lag, LagPage, Overview } from "./shapes";

const NOTHING: Coverage = {
  coverage_ratio: null,
  low95_ratio: null,
  high95_ratio: null,
  timely_ratio: null,
  observed_ratio: null,
  counts: {},
};

const NO_LAG: Lag = { n: null, p50_ms: null, p95_ms: null, p99_ms: null, uncertainty_ms: null };

/** Every figure is null for this reason. */
function awaited<T extends object>(of: T, reason: string): T {
  return { ...of, ...Object.fromEntries(Object.keys(of).map((key) => [`${key}_reason`, reason])) };
}

/** The coverage of a mirror as the page of the range has it; null for the reason `loading` where it is not here yet. */
export function coverageIn(page: CoveragePage | null, id: string): Coverage {
  return (
    page?.mirrors.find((mirror) => mirror.id === id)?.coverage ?? {
      ...awaited(NOTHING, "loading"),
      counts: awaited({ missed: null, late: null, extra: null }, "loading"),
    }
  );
}

/**
 * `overview` with coverage and lag as the pages of the range have them. Where a page is not here yet, or knows a mirror not,
 * the figures are null with the reason `loading`: those of another range must not stand in for them.
 */
export function inRange(overview: Overview, coverage: CoveragePage | null, lag: LagPage | null): Overview {
  const lags = new Map(lag?.mirrors.map((mirror) => [mirror.id, mirror.lag]));
  return {
    ...overview,
    mirrors: overview.mirrors.map((mirror) => ({
      ...mirror,
      coverage: coverageIn(coverage, mirror.id),
      lag: lags.get(mirror.id) ?? awaited(NO_LAG, "loading"),
    })),
  };
}
