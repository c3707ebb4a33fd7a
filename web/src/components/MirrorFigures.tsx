import * as format from "../format";
import { coverageIn } from "../in-range";
import { paths } from "../route";
import type { Coverage, MirrorDetail } from "../shapes";
import { coverage as coverageOfAll } from "../state";
import { asked, custom, range, rangeText, windowText } from "../view";
import { countsOf, Figure } from "./Figures";
import { Value } from "./Value";

/** The coverage of the span that was chosen, or of a window where the page of the mirror has it; of six hours otherwise. */
function coverageOf(mirror: MirrorDetail): Coverage {
  if (custom.value !== null) return coverageIn(coverageOfAll.value.state.value.page?.data ?? null, mirror.id);
  return new Map(Object.entries(mirror.windows)).get(range.value) ?? mirror.coverage;
}

/** The four figures of one mirror, over the range that is looked at. */
export function MirrorFigures({ mirror }: { mirror: MirrorDetail }) {
  const coverage = coverageOf(mirror);
  const { lag, freshness } = mirror;
  const decided = coverage.counts.decided ?? 0;
  const api = `/api/v1/mirrors/${encodeURIComponent(mirror.id)}`;
  const window = rangeText(range.value);
  const ofRange = custom.value === null ? api : `/api/v1/analytics/coverage?${asked.value}`;
  return (
    <dl class="figures">
      <Figure
        label={`Coverage, ${window}`}
        about="coverage"
        href={ofRange}
        inputs={countsOf(coverage.counts)}
        detail={
          coverage.coverage_ratio === null
            ? "no operation is decided yet"
            : `95 % interval ${format.interval(coverage.low95_ratio, coverage.high95_ratio, decided)}`
        }
      >
        <Value of={coverage} name="coverage_ratio" figure="range-coverage">
          {format.percent(coverage.coverage_ratio, decided)}
        </Value>
      </Figure>
      <Figure
        label={`Missed, ${window}`}
        about="missed"
        href={ofRange}
        detail={`of ${format.count(decided)} judged · ${format.count(coverage.counts.healed)} healed`}
      >
        <Value of={coverage.counts} name="missed" figure="range-missed">
          {(coverage.counts.missed ?? 0) > 0 ? (
            <a class="tone-missed" href={paths.misses({ mirror: mirror.id })}>
              {format.count(coverage.counts.missed)}
            </a>
          ) : (
            format.count(coverage.counts.missed)
          )}
        </Value>
      </Figure>
      <Figure
        label={`p95 lag, ${windowText("1h")}`}
        about="lag"
        window="1h"
        href={api}
        detail={`median ${format.lag(lag.p50_ms, lag.uncertainty_ms)} of ${format.count(lag.n)} operations`}
      >
        <Value of={lag} name="p95_ms" figure="mirror-p95">
          {format.lag(lag.p95_ms, lag.uncertainty_ms)}
        </Value>
        {lag.uncertainty_ms === null ? null : <small> ± {format.duration(lag.uncertainty_ms)}</small>}
      </Figure>
      <Figure
        label="Behind now"
        about="head"
        href={`${api}/freshness`}
        detail={
          freshness.head_age_s === null
            ? "how far cannot be told"
            : freshness.head_age_s === 0
              ? "it owes nothing"
              : `the oldest for ${format.duration(freshness.head_age_s * 1000)}`
        }
      >
        <Value of={freshness} name="head_lag_ops" figure="mirror-behind">
          {format.count(freshness.head_lag_ops)}
          <small> ops</small>
        </Value>
      </Figure>
    </dl>
  );
}
