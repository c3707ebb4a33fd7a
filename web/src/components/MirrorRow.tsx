import * as format from "../format";
import { paths } from "../route";
import type { Lag, Mirror, Num } from "../shapes";
import { linkState, mirrorState, SHAPES, type Tone, words } from "../words";
import { CoverageBar } from "./CoverageBar";
import { Recommended } from "./Recommended";
import { Shape } from "./Shape";
import { Value } from "./Value";

/** Below this share of judged operations, a coverage is worth little, and the row says so in amber. */
const LITTLE_OBSERVED = 0.95;

/** One mirror. Each cell carries its column's name, which the cards of narrow screens show. */
export function MirrorRow({ mirror }: { mirror: Mirror }) {
  const { lag, link, freshness } = mirror;
  return (
    <tr data-source={mirror.id}>
      <td data-label="State" data-figure="state" data-value={mirror.state} title={since(mirror)}>
        <Shape state={mirrorState(mirror.state)} />
      </td>
      <th scope="row" data-label="Source">
        <a href={paths.mirror(mirror.id)}>
          <bdi title={mirror.url}>{format.visible(mirror.name)}</bdi>
        </a>{" "}
        <span class="tag">{words(mirror.transport)}</span>{" "}
        {mirror.is_recommended === true ? <Recommended /> : null}
        <Sub mirror={mirror} />
      </th>
      <td class="coverage" data-label="Coverage">
        <CoverageText mirror={mirror} />
      </td>
      <CountCell label="Missed" tone="missed" mirror={mirror} name="missed" />
      <CountCell label="Late" tone="late" mirror={mirror} name="late" />
      <CountCell label="Extra" tone="extra" mirror={mirror} name="extra" />
      <td class="num" data-label="Behind">
        <Value of={freshness} name="head_lag_ops" figure="head-lag-ops">
          {freshness.head_lag_ops === 0 ? (
            "0 ops"
          ) : (
            <>
              {format.count(freshness.head_lag_ops)} ops /{" "}
              {freshness.head_age_s === null ? format.DASH : format.duration(freshness.head_age_s * 1000)}
            </>
          )}
        </Value>
      </td>
      <LagCell lag={lag} label="Lag p50" name="p50_ms" withUncertainty />
      <LagCell lag={lag} label="p95" name="p95_ms" />
      <LagCell lag={lag} label="p99" name="p99_ms" />
      <td class="num" data-label="RTT">
        <Value of={mirror.rtt} name="tcp_ms" figure="rtt">
          {format.duration(mirror.rtt.tcp_ms)}
        </Value>
      </td>
      <td class="num" data-label="Link up">
        <Value of={link} name="connected_ratio" figure="connected" title={linkState(link.state).word}>
          {format.percent(link.connected_ratio, 10_000)}
        </Value>
      </td>
    </tr>
  );
}

/** Since when the mirror is in its state, for whoever points at it. */
function since(mirror: Mirror): string | undefined {
  return mirror.since_at ? `since ${mirror.since_at}` : undefined;
}

interface LagCellProps {
  lag: Lag;
  label: string;
  name: "p50_ms" | "p95_ms" | "p99_ms";
  withUncertainty?: boolean;
}

function LagCell({ lag, label, name, withUncertainty }: LagCellProps) {
  const value = lag[name];
  return (
    <td class="num" data-label={label}>
      <Value of={lag} name={name} figure={`lag-${name}`} title={`${format.duration(value)} measured`}>
        {format.lag(value, lag.uncertainty_ms)}
        {withUncertainty && lag.uncertainty_ms !== null ? (
          <span class="pm"> ± {format.duration(lag.uncertainty_ms)}</span>
        ) : null}
      </Value>
    </td>
  );
}

/** The line under the name: what the server says about the mirror, or what its link is doing. */
function Sub({ mirror }: { mirror: Mirror }) {
  const parts: string[] = [];
  if (mirror.link.state !== "synchronized") parts.push(linkState(mirror.link.state).word);
  if (mirror.headline) parts.push(mirror.headline);
  else if (mirror.link.last_error)
    parts.push(`${mirror.link.last_error.class}: ${mirror.link.last_error.text}`);
  if ((mirror.rejected_frames ?? 0) > 0) parts.push(`${format.count(mirror.rejected_frames)} frames refused`);
  if (parts.length === 0) return null;
  const text = format.visible(parts.join(" · "));
  return (
    <span class="sub" title={text}>
      {text}
    </span>
  );
}

function CoverageText({ mirror: { coverage } }: { mirror: Mirror }) {
  const decided = coverage.counts.decided ?? 0;
  const observed = coverage.observed_ratio;
  return (
    <>
      <span class="coverage-line">
        <b>
          <Value of={coverage} name="coverage_ratio" figure="coverage">
            {format.percent(coverage.coverage_ratio, decided)}
          </Value>
        </b>
        {coverage.coverage_ratio === null ? null : (
          <span class="sub-inline" title="95 % interval of confidence">
            [{format.interval(coverage.low95_ratio, coverage.high95_ratio, decided)}]
          </span>
        )}
      </span>
      <span class="coverage-line">
        <span class="sub-inline">
          {decided === 0 ? "nothing decided yet" : `missed ${format.nOfN(coverage.counts.missed, decided)}`}
        </span>
        {observed !== null && observed < 1 ? (
          <span
            class={observed < LITTLE_OBSERVED ? "sub-inline tone-late" : "sub-inline"}
            title="Share of the operations that could be judged"
          >
            {format.percent(observed, Math.min(decided, 10_000))} observed
          </span>
        ) : null}
      </span>
      <CoverageBar counts={coverage.counts} />
    </>
  );
}

interface CountCellProps {
  label: string;
  tone: Tone;
  mirror: Mirror;
  name: "missed" | "late" | "extra";
}

/** A count that leads to its operations. */
function CountCell({ label, tone, mirror, name }: CountCellProps) {
  const of = mirror.coverage.counts;
  const value = (new Map<string, unknown>(Object.entries(of)).get(name) ?? null) as Num;
  return (
    <td class="num" data-label={label}>
      <Value of={of} name={name} figure={name}>
        {value !== null && value > 0 ? (
          <a
            class={`tone-${tone}`}
            href={paths.misses({ mirror: mirror.id, ...(name === "missed" ? {} : { verdict: name }) })}
          >
            <span class="shape" aria-hidden="true">
              {SHAPES[tone]}
            </span>{" "}
            {format.count(value)}
          </a>
        ) : (
          <span class="zero">{format.count(value)}</span>
        )}
      </Value>
    </td>
  );
}
