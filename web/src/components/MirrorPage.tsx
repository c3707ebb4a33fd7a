import { useAnswer } from "../answer";
import * as format from "../format";
import { paths } from "../route";
import type { MirrorDetail, Samples } from "../shapes";
import { overview } from "../state";
import { agreement, findingWord, linkState, mirrorState, transportText, words } from "../words";
import { Findings } from "./Findings";
import { HeldTo } from "./HeldTo";
import { At, DidLink } from "./Ids";
import { MirrorCharts } from "./MirrorCharts";
import { MirrorFigures } from "./MirrorFigures";
import { Recommended } from "./Recommended";
import { Shape } from "./Shape";
import { Stale, Unanswered } from "./Unanswered";
import { Value } from "./Value";

const EVERY_MS = 5_000;

/** One mirror: how it is looked at, what that can tell, and where its operations are listed. */
export function MirrorPage({ id }: { id: string }) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}`;
  const { page, failure } = useAnswer<MirrorDetail>(url, EVERY_MS);
  const mirror = page?.data ?? null;
  return (
    <main data-page="mirror">
      <div class="verdict">
        <h1 tabIndex={-1}>
          {mirror === null ? null : <Shape state={mirrorState(mirror.state)} wordless />}
          <bdi>{format.visible(mirror?.name ?? id)}</bdi>
        </h1>
        <p class="chips">
          {mirror === null ? null : <Shape state={mirrorState(mirror.state)} />}
          {isRecommended(id) ? <Recommended /> : null}
          <a href={paths.events({ source: id })}>what happened to it</a>
          <a class="json" href={url}>
            JSON
          </a>
        </p>
      </div>
      <Stale failure={page === null ? null : failure} />
      {mirror === null ? <Unanswered what="this mirror" failure={failure} /> : <Body mirror={mirror} />}
    </main>
  );
}

function isRecommended(id: string): boolean {
  const rows = overview.state.value.page?.data.mirrors ?? [];
  return rows.some((row) => row.id === id && row.is_recommended === true);
}

function Body({ mirror }: { mirror: MirrorDetail }) {
  return (
    <>
      {mirror.headline ? (
        <p class="summary" data-figure="state" data-value={mirror.state}>
          {format.visible(mirror.headline)}
          {mirror.since_at ? (
            <span class="sub-inline">
              {" "}
              since <At at={mirror.since_at} /> {format.zoneWord()}
            </span>
          ) : null}
        </p>
      ) : null}
      <MirrorFigures mirror={mirror} />
      <div class="pair even">
        <section class="panel" aria-labelledby="how-title">
          <div class="panel-head">
            <h2 id="how-title">How it is looked at</h2>
          </div>
          <dl class="facts">
            <How mirror={mirror} />
          </dl>
        </section>
        <section class="panel" aria-labelledby="operations-title">
          <div class="panel-head">
            <h2 id="operations-title">Its operations</h2>
          </div>
          <dl class="facts">
            <Operations mirror={mirror} />
          </dl>
        </section>
      </div>
      <HeldTo id={mirror.id} />
      <MirrorCharts mirror={mirror} />
      <Findings findings={mirror.findings ?? []} />
      {mirror.samples === undefined ? null : (
        <History samples={mirror.samples} differences={mirror.sample_differences ?? []} />
      )}
    </>
  );
}

/** Transport, resolution and sample, in words. */
function How({ mirror }: { mirror: MirrorDetail }) {
  const { link, sampling_ratio: share, resolution_ms: resolution } = mirror;
  return (
    <>
      <dt>Transport</dt>
      <dd data-figure="transport" data-value={mirror.transport}>
        {transportText(mirror.transport)}
        {mirror.transport_reason ? <span class="sub">{format.visible(mirror.transport_reason)}</span> : null}
      </dd>
      <dt>Link</dt>
      <dd>
        <Shape state={linkState(link.state)} />
        {link.last_error ? (
          <span class="sub">
            last failure: {words(link.last_error.class)}: {format.visible(link.last_error.text)}
          </span>
        ) : null}
      </dd>
      <dt>Resolution</dt>
      <dd>
        {resolution === null || resolution === undefined
          ? "each operation is stamped when it arrives; the round trips leave "
          : `${format.duration(resolution)}: nothing finer is known of when an operation was there; the round trips leave `}
        {mirror.lag.uncertainty_ms === null
          ? "an unknown rest"
          : `± ${format.duration(mirror.lag.uncertainty_ms)}`}
      </dd>
      <dt>Sample</dt>
      <dd>
        {share === null || share === undefined || share >= 1
          ? "every operation of the primary is looked for"
          : `${format.percent(share, 10_000)} of the primary's operations are looked for`}
      </dd>
      <dt>Limits</dt>
      <dd>
        on time within {format.duration(mirror.limits.on_time_s * 1000)}, missed after{" "}
        {format.duration(mirror.limits.grace_s * 1000)}
      </dd>
      <dt>Observed since</dt>
      <dd>
        {mirror.observed_since_at === null
          ? "not observed yet"
          : `${format.dateTime(mirror.observed_since_at)} ${format.zoneWord()}`}
      </dd>
    </>
  );
}

function Operations({ mirror }: { mirror: MirrorDetail }) {
  const { misses, content, coverage } = mirror;
  const to = (filters: Record<string, string>) => paths.misses({ mirror: mirror.id, ...filters });
  const counted = (n: number, one: string, many: string) => `${format.count(n)} ${n === 1 ? one : many}`;
  const found = Object.entries(misses?.by_confirmation ?? {}).filter(([, n]) => n > 0);
  return (
    <>
      <dt>Coverage, 6 h</dt>
      <dd>
        <Value of={coverage} name="coverage_ratio">
          {format.percent(coverage.coverage_ratio, coverage.counts.decided ?? 0)}
        </Value>{" "}
        <span class="sub-inline">{format.nOfN(coverage.counts.missed, coverage.counts.decided)} missed</span>
      </dd>
      <dt>Missed now</dt>
      <dd data-figure="open-misses" data-value={String(misses?.open ?? null)}>
        <a href={to({})}>{counted(misses?.open ?? 0, "operation", "operations")}</a>
        {misses !== undefined && misses.followers > 0
          ? `: ${format.count(misses.roots)} lost, ${format.count(misses.followers)} follow from those`
          : ""}
        {found.map(([finding, n]) => (
          <span class="sub" key={finding}>
            <a href={to({ confirmation: finding, chain: "any" })}>
              {findingWord(finding)}: {format.count(n)}
            </a>
          </span>
        ))}
      </dd>
      <dt>Late, extra</dt>
      <dd>
        <a href={to({ verdict: "late" })}>late</a> · <a href={to({ verdict: "extra" })}>extra</a> ·{" "}
        <a href={to({ verdict: "extra_pending" })}>in doubt</a> ·{" "}
        <a href={to({ verdict: "unknown" })}>unknown</a>
      </dd>
      <dt>Content and order</dt>
      <dd>
        {Object.entries(content ?? {})
          .filter(([, n]) => n > 0)
          .map(([name, n]) => `${findingWord(name)}: ${format.count(n)}`)
          .join(" · ") || "nothing found"}
        {mirror.rejects.text === null ? null : <span class="sub">{format.visible(mirror.rejects.text)}</span>}
        {(mirror.throttle?.times ?? 0) === 0 ? null : (
          <span class="sub">
            throttled {counted(mirror.throttle?.times ?? 0, "time", "times")} since the start; not read for{" "}
            {format.count(Math.round(mirror.throttle?.paused_s ?? 0))} s
          </span>
        )}
        {mirror.rejects.last === null ? null : (
          <span class="sub">
            last refused frame: {format.visible(mirror.rejects.last.text)} (<At at={mirror.rejects.last.at} />{" "}
            {format.zoneWord()})
          </span>
        )}
      </dd>
    </>
  );
}

interface HistoryProps {
  samples: Samples;
  differences: NonNullable<MirrorDetail["sample_differences"]>;
}

/** What samples of whole logs say: coverage may be perfect and a history another. */
function History({ samples, differences }: HistoryProps) {
  const by = Object.entries(samples.by_agreement).filter(([, n]) => n > 0);
  return (
    <section class="panel" aria-labelledby="history-title">
      <div class="panel-head">
        <h2 id="history-title">Whole logs, by sample</h2>
        <span class="hint">of DIDs that published lately, last 24 h</span>
      </div>
      <p>
        <b>
          <Value of={samples} name="sample_agreement_ratio" figure="sample-agreement">
            {format.percent(samples.sample_agreement_ratio, samples.judged)}
          </Value>
        </b>{" "}
        {samples.judged === 0 ? (
          <span class="hint">no log was compared yet</span>
        ) : (
          <span class="hint">
            of {format.count(samples.judged)} logs are the primary's, [
            {format.interval(samples.low95_ratio, samples.high95_ratio, samples.judged)}]
            {samples.unanswered > 0 ? `; ${format.count(samples.unanswered)} not answered` : ""}
          </span>
        )}
      </p>
      {by.length === 0 ? null : (
        <ul class="states">
          {by.map(([name, n]) => (
            <li key={name}>
              <Shape state={agreement(name)} /> {format.count(n)}
            </li>
          ))}
        </ul>
      )}
      {differences.length === 0 ? null : (
        <ul class="probes">
          {differences.map((difference) => (
            <li key={`${difference.did} ${difference.at}`}>
              <Shape state={agreement(difference.agreement)} /> <DidLink did={difference.did} /> at{" "}
              <At at={difference.at} /> {format.zoneWord()}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
