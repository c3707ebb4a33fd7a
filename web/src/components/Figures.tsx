import type { ComponentChildren } from "preact";
import type { About } from "../explain";
import * as format from "../format";
import { missTotals, slowest, worstCoverage } from "../rank";
import type { Counts, Overview } from "../shapes";
import { history } from "../state";
import { asked, custom, lagAsked, lagWindow, range, rangeText } from "../view";
import { words } from "../words";
import { Info, type Inputs } from "./Info";
import { Sparkline } from "./Sparkline";
import { Value } from "./Value";

interface FigureProps {
  label: string;
  about: About;
  href: string;
  inputs?: Inputs;
  window?: string;
  children: ComponentChildren;
  detail: ComponentChildren;
}

/** One large number: what it is, what it is made of, and where it stands as JSON. */
export function Figure({ label, about, href, inputs, window, children, detail }: FigureProps) {
  return (
    <div class="figure">
      <dt>
        {label} <Info about={about} label={label} inputs={inputs} window={window} />
        <a class="json" href={href} title={`${label} as JSON`}>
          JSON
        </a>
      </dt>
      <dd class="big">{children}</dd>
      <dd class="detail">{detail}</dd>
    </div>
  );
}

const NOTHING = { none: null };

export function Figures({ data }: { data: Overview }) {
  return (
    <dl class="figures">
      <WorstCoverage data={data} />
      <Missed data={data} />
      <SlowestLag data={data} />
      <PrimaryRate data={data} />
    </dl>
  );
}

/** The counts that a coverage is made of. */
export function countsOf(counts: Counts | undefined): Inputs {
  const names = ["on_time", "late", "present", "missed", "pending", "unknown"] as const;
  return counts === undefined ? [] : names.map((name) => [words(name), format.count(counts[name])] as const);
}

function WorstCoverage({ data }: { data: Overview }) {
  const worst = worstCoverage(data.mirrors);
  const counts = worst?.coverage.counts;
  const decided = counts?.decided ?? 0;
  return (
    <Figure
      label={`Worst coverage, ${rangeText(range.value)}`}
      about="coverage"
      href={`/api/v1/analytics/coverage?${asked.value}`}
      inputs={countsOf(counts)}
      detail={
        worst === null ? (
          "no operation is decided yet"
        ) : (
          <>
            <b>{format.visible(worst.name)}</b> missed {format.nOfN(counts?.missed, decided)}
          </>
        )
      }
    >
      {worst === null ? (
        <Value of={NOTHING} name="none" figure="worst-coverage">
          {null}
        </Value>
      ) : (
        <Value of={worst.coverage} name="coverage_ratio" figure="worst-coverage">
          {format.percent(worst.coverage.coverage_ratio, decided)}
        </Value>
      )}
    </Figure>
  );
}

function Missed({ data }: { data: Overview }) {
  const totals = missTotals(data.mirrors);
  const share =
    totals === null
      ? "no operation is decided yet"
      : `of ${format.count(totals.decided)} judged at ${format.count(data.mirrors.length)} mirrors · ${format.count(totals.healed)} healed`;
  return (
    <Figure
      label={`Operations missed, ${rangeText(range.value)}`}
      about="missed"
      href={`/api/v1/analytics/${custom.value === null ? "misses" : "coverage"}?${asked.value}`}
      inputs={
        totals === null
          ? []
          : [
              ["missed now, all mirrors", format.count(totals.missed)],
              ["healed since", format.count(totals.healed)],
              ["judged", format.count(totals.decided)],
            ]
      }
      detail={share}
    >
      <Value of={totals ?? NOTHING} name={totals === null ? "none" : "missed"} figure="missed">
        {totals !== null && totals.missed > 0 ? (
          <a class="tone-missed" href="/misses">
            {format.count(totals.missed)}
          </a>
        ) : (
          format.count(totals?.missed)
        )}
      </Value>
    </Figure>
  );
}

function SlowestLag({ data }: { data: Overview }) {
  const slow = slowest(data.mirrors);
  return (
    <Figure
      label={`Slowest p95 lag, ${rangeText(lagWindow.value)}`}
      about="lag"
      href={`/api/v1/analytics/lag?${lagAsked.value}`}
      inputs={
        slow === null
          ? []
          : [
              ["operations", format.count(slow.lag.n)],
              ["correction taken off", format.duration(slow.lag.correction_ms ?? null)],
              ["uncertainty", format.duration(slow.lag.uncertainty_ms)],
            ]
      }
      detail={
        slow === null ? (
          "no lag is measured yet"
        ) : (
          <>
            <b>{format.visible(slow.name)}</b> {format.count(slow.lag.n)} operations
          </>
        )
      }
    >
      {slow === null ? (
        <Value of={NOTHING} name="none" figure="slowest-p95">
          {null}
        </Value>
      ) : (
        <>
          <Value of={slow.lag} name="p95_ms" figure="slowest-p95">
            {format.duration(slow.lag.p95_ms)}
          </Value>
          {slow.lag.uncertainty_ms === null ? null : (
            <small> ± {format.duration(slow.lag.uncertainty_ms)}</small>
          )}
        </>
      )}
    </Figure>
  );
}

function PrimaryRate({ data: { primary } }: { data: Overview }) {
  const series = history.value.state.value.page?.data;
  // The last interval is still filling: its rate would look like a fall.
  const rates =
    series?.primary.ops.slice(0, -1).map((ops) => (ops === null ? null : ops / series.resolution_s)) ?? [];
  return (
    <Figure
      label="Primary rate"
      about="rate"
      href="/api/v1/overview"
      detail={
        <>
          <b>{format.visible(primary.name)}</b>{" "}
          <Value of={primary} name="received_ops" figure="primary-received">
            {format.count(primary.received_ops)}
          </Value>{" "}
          received
        </>
      }
    >
      <span class="with-spark">
        <span>
          <Value of={primary} name="rate_ops_per_s" figure="primary-rate">
            {format.rate(primary.rate_ops_per_s)}
          </Value>
          <small> ops/s</small>
        </span>
        <Sparkline
          values={rates}
          label={`Primary rate in the ${custom.value === null ? "last " : ""}${rangeText(range.value)}`}
        />
      </span>
    </Figure>
  );
}
