import { useMemo } from "preact/hooks";
import { useAnswer } from "../answer";
import * as format from "../format";
import { cumulated } from "../log-axis";
import type { MirrorLag } from "../shapes";
import { custom, lagAsked, lagWindow, rangeText } from "../view";
import { Cdf } from "./Cdf";
import { Info } from "./Info";
import { ChartHead, Twin } from "./Twin";
import { Unanswered } from "./Unanswered";

const EVERY_MS = 10_000;

/** One sentence: what the middle and nearly all have to wait, and what never comes. */
export function distributionSummary({ lag, lost_ops }: MirrorLag): string {
  if ((lag.n ?? 0) === 0) return "No operation of this window could be timed yet.";
  const lost = lost_ops === 0 ? "" : `; ${format.count(lost_ops)} more never came`;
  const tail = lag.p95_ms === null ? "" : `, 95 % within ${format.lag(lag.p95_ms, lag.uncertainty_ms)}`;
  return `Of ${format.count(lag.n)} timed operations half came within ${format.lag(lag.p50_ms, lag.uncertainty_ms)}${tail}${lost}.`;
}

/** How large a share of a window's operations had come after how long. */
export function LagDistribution({ id }: { id: string }) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}/lag?${lagAsked.value}`;
  const { page, failure } = useAnswer<MirrorLag>(url, EVERY_MS);
  const data = page?.data ?? null;
  const curve = useMemo(() => (data === null ? [] : cumulated(data.histogram, data.lost_ops)), [data]);
  const summary = data === null ? "" : distributionSummary(data);
  return (
    <section class="panel" aria-labelledby="distribution-title">
      <ChartHead
        id="distribution-title"
        json={url}
        hint={`share that had come after so long, ${custom.value === null ? "last " : ""}${rangeText(lagWindow.value)}; what was missed never came`}
      >
        Lag, distribution <Info about="lag" label="this distribution" />
      </ChartHead>
      {data === null ? (
        <Unanswered what="its lags" failure={failure} />
      ) : (
        <>
          <Cdf lines={[{ id, curve, slot: 0 }]} summary={summary} noiseMs={data.lag.uncertainty_ms} />
          <p class="summary" data-timed={data.lag.n}>
            {summary}
          </p>
          <Twin
            caption="Share of operations by lag"
            head={["Came within", "operations", "share of all"]}
            rows={() =>
              curve.map(([ms, ratio], index) => [
                format.duration(ms),
                format.count(data.histogram.count[index]),
                format.percent(ratio, data.lag.n ?? 0),
              ])
            }
          />
        </>
      )}
    </section>
  );
}
