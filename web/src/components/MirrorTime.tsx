import { useMemo } from "preact/hooks";
import { useAnswer } from "../answer";
import { now } from "../clock";
import * as format from "../format";
import {
  ageText,
  type Base,
  baseOf,
  freshnessSpec,
  lagLine,
  missSpec,
  newestOf,
  recent,
  rttSpec,
  spanUrl,
  windowsUrl,
} from "../mirror-series";
import type { MirrorFreshness, MirrorRtt, MirrorWindows } from "../shapes";
import { history } from "../state";
import { custom, range, type Span } from "../view";
import { Info } from "./Info";
import { LagChart } from "./LagChart";
import { LinkRibbon } from "./LinkRibbon";
import { TimePlot } from "./TimePlot";
import { ChartHead, Twin } from "./Twin";
import { Stale, Unanswered } from "./Unanswered";

const EVERY_MS = 10_000;

interface Props {
  id: string;
  name: string;
}

/** One mirror over time: all charts of it that have a time axis, on the same one. */
export function MirrorTime({ id, name }: Props) {
  const chosen = custom.value;
  return chosen === null ? <UntilNow id={id} name={name} /> : <InSpan id={id} name={name} span={chosen} />;
}

/** In steps as long as those of the history of the same span. */
function InSpan({ id, name, span }: Props & { span: Span }) {
  const { page, error } = history.value.state.value;
  const failure = error === null ? null : { status: null, code: "history", detail: error };
  if (page === null) return <Unanswered what="its windows" failure={failure} />;
  return <Windows id={id} name={name} url={spanUrl(id, span, page.data.resolution_s)} />;
}

function UntilNow({ id, name }: Props) {
  // An address that stays the same for an hour, so that it is not another one with each second.
  const hourMs = Math.floor(now.value / 3_600_000) * 3_600_000;
  const url = useMemo(() => windowsUrl(id, range.value, hourMs + 3_600_000), [id, range.value, hourMs]);
  return <Windows id={id} name={name} url={url} />;
}

function Windows({ id, name, url }: Props & { url: string }) {
  const { page, failure } = useAnswer<MirrorWindows>(url, EVERY_MS);
  const windows = useMemo(() => (page === null ? null : recent(page.data, range.value)), [page, range.value]);
  if (windows === null) return <Unanswered what="its windows" failure={failure} />;
  return (
    <>
      <Stale failure={failure} />
      <OverTime windows={windows} url={url} id={id} name={name} />
    </>
  );
}

function OverTime({ windows, url, id, name }: Props & { windows: MirrorWindows; url: string }) {
  const base = useMemo(() => baseOf(windows), [windows]);
  const lines = useMemo(() => [lagLine(windows, name)], [windows, name]);
  const noise = newestOf(windows.lag_uncertainty_ms);
  return (
    <>
      <MissBars windows={windows} url={url} />
      <LagChart
        of={base}
        lines={lines}
        noiseMs={noise === null ? null : Number(noise.toPrecision(2))}
        json={url}
      />
      <div class="pair even">
        <Freshness id={id} base={base} />
        <RoundTrips id={id} base={base} />
      </div>
      <LinkRibbon id={id} base={base} />
    </>
  );
}

function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}

function MissBars({ windows, url }: { windows: MirrorWindows; url: string }) {
  const spec = useMemo(() => missSpec(windows), [windows]);
  const [missed, decided] = [sum(windows.missed), sum(windows.decided)];
  const most = Math.max(0, ...windows.missed.map((n) => n ?? 0));
  const at = windows.t_unix_ms[windows.missed.indexOf(most)] ?? 0;
  const summary =
    decided === 0
      ? "No operation of these intervals is decided yet."
      : missed === 0
        ? `None of ${format.count(decided)} decided operations is missed.`
        : `${format.nOfN(missed, decided)} decided operations are missed; most in the interval from ${format.stamp(at)} ${format.zoneWord()}: ${format.count(most)}.`;
  return (
    <section class="panel" aria-labelledby="misses-title">
      <ChartHead
        id="misses-title"
        json={url}
        hint={`operations missed in each ${format.duration(windows.resolution_s * 1000)}, counted from zero; hollow while provisional`}
      >
        Misses by interval <Info about="missed" label="missed" />
      </ChartHead>
      <TimePlot spec={spec} summary={summary} />
      <p class="summary" data-missed={missed}>
        {summary}
      </p>
      <Twin
        caption="Misses by interval"
        head={[
          `Interval, ${format.zoneWord()}`,
          "missed",
          "decided",
          "healed since",
          "late",
          "unknown",
          "pending",
        ]}
        rows={() =>
          windows.t_unix_ms
            .map((t, index) => [
              format.stamp(t),
              ...[
                windows.missed,
                windows.decided,
                windows.healed,
                windows.late,
                windows.unknown,
                windows.pending,
              ].map((column) => format.count(column[index])),
            ])
            .reverse()
        }
      />
    </section>
  );
}

interface SeriesProps {
  id: string;
  base: Base;
}

/** Said where a series goes back less far than the range. */
function keptText(keptS: number): string {
  return `kept for ${format.duration(keptS * 1000)} and since the start`;
}

function Freshness({ id, base }: SeriesProps) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}/freshness`;
  const { page, failure } = useAnswer<MirrorFreshness>(url, EVERY_MS);
  const data = page?.data ?? null;
  const spec = useMemo(() => (data === null ? null : freshnessSpec(data, base)), [data, base]);
  const series = data?.series;
  const known = series?.head_age_s.filter((age) => age !== null) ?? [];
  const summary =
    known.length === 0
      ? "How far it is behind is not known of any moment yet."
      : `Never more than ${format.duration(Math.max(...known) * 1000)} behind, ${
          data?.freshness.head_age_s === null || data === null
            ? "unknown now"
            : `${format.duration(data.freshness.head_age_s * 1000)} now`
        }.`;
  return (
    <section class="panel" aria-labelledby="freshness-title">
      <ChartHead
        id="freshness-title"
        json={url}
        hint={
          series === undefined
            ? undefined
            : `age of the first operation it still owes; ${keptText(series.kept_s)}`
        }
      >
        Freshness <Info about="head" label="freshness" />
      </ChartHead>
      {spec === null || series === undefined ? (
        <Unanswered what="its freshness" failure={failure} />
      ) : (
        <>
          <TimePlot spec={spec} summary={summary} />
          <p class="summary">{summary}</p>
          <Twin
            caption="Freshness over time"
            head={[`From, ${format.zoneWord()}`, "worst age", "operations behind", "why not known"]}
            rows={() =>
              series.t_unix_ms
                .map((t, index) => {
                  const age = series.head_age_s[index] ?? null;
                  return [
                    format.stamp(t),
                    age === null ? format.DASH : age < 1 ? ageText(age) : format.duration(age * 1000),
                    format.count(series.head_lag_ops[index]),
                    series.reason[index]?.replaceAll("_", " ") ?? "",
                  ];
                })
                .reverse()
            }
          />
        </>
      )}
    </section>
  );
}

function RoundTrips({ id, base }: SeriesProps) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}/rtt`;
  const { page, failure } = useAnswer<MirrorRtt>(url, EVERY_MS);
  const data = page?.data ?? null;
  const spec = useMemo(() => (data === null ? null : rttSpec(data, base)), [data, base]);
  const series = data?.series;
  const summary =
    data === null
      ? ""
      : data.rtt.tcp_ms === null
        ? "No round trip is measured yet."
        : `Round trip to it ${format.duration(data.rtt.tcp_ms)}, to the primary ${format.duration(data.primary_rtt.tcp_ms)}: ${format.duration(data.correction_ms)} is taken off its lag, which leaves ± ${format.duration(data.uncertainty_ms)}.`;
  return (
    <section class="panel" aria-labelledby="rtt-title">
      <ChartHead
        id="rtt-title"
        json={url}
        hint={
          series === undefined
            ? undefined
            : `smallest of each ${format.duration(series.resolution_s * 1000)}; ${keptText(series.kept_s)}`
        }
      >
        Round trips <Info about="rtt" label="round trip" />
      </ChartHead>
      {spec === null || series === undefined ? (
        <Unanswered what="its round trips" failure={failure} />
      ) : (
        <>
          <TimePlot spec={spec} summary={summary} />
          <ul class="cdf-legend">
            {spec.series.map((line, index) => (
              <li key={line.label}>
                <svg
                  class="swatch"
                  viewBox="0 0 22 4"
                  width="22"
                  height="4"
                  aria-hidden="true"
                  focusable="false"
                >
                  <line class={RTT_LINES[index]} x1="0" x2="22" y1="2" y2="2" />
                </svg>{" "}
                {line.label}
              </li>
            ))}
          </ul>
          <p class="summary">{summary}</p>
          <Twin
            caption="Round trips over time"
            head={[`From, ${format.zoneWord()}`, ...spec.series.map((line) => line.label)]}
            rows={() =>
              series.t_unix_ms
                .map((t, index) => [
                  format.stamp(t),
                  ...spec.series.map(({ values }) => format.duration(values[index])),
                ])
                .reverse()
            }
          />
        </>
      )}
    </section>
  );
}

/** How the lines of the round trips look in their legend. */
const RTT_LINES = ["series-1", "series-4 dash-2", "series-6 dash-1"];
