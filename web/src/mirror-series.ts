/** The charts of one mirror over time, from what the API says of it; all on the time axis of its windows. */
import type { LagLine } from "./lag-series";
import type { MirrorFreshness, MirrorRtt, MirrorWindows, Num } from "./shapes";
import { countAxis, firstOpen, niceAxis, type TimeSpec } from "./time-spec";
import type { Range, Span } from "./view";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The address of the windows that a range is shown in: intervals up to six hours, hours up to a week, then days. */
export function windowsUrl(id: string, range: Range, nowMs: number): string {
  const from = (ms: number, step: number) =>
    new Date(Math.floor((nowMs - ms) / step) * step).toISOString().replace(".000Z", "Z");
  const query = new Map<Range, Record<string, string>>([
    ["1h", { resolution: "5m" }],
    ["6h", { resolution: "5m" }],
    ["24h", { resolution: "1h", from: from(DAY_MS, HOUR_MS) }],
    ["7d", { resolution: "1h" }],
    ["30d", { resolution: "1d", from: from(30 * DAY_MS, DAY_MS) }],
  ]).get(range);
  return `/api/v1/mirrors/${encodeURIComponent(id)}/windows?${new URLSearchParams(query)}`;
}

/** The address of the windows of a chosen span, in steps of this length: those of the server's own series of it. */
export function spanUrl(id: string, { fromMs, toMs }: Span, resolutionS: number): string {
  const resolution = resolutionS === DAY_MS / 1000 ? "1d" : resolutionS === HOUR_MS / 1000 ? "1h" : "5m";
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
  return `/api/v1/mirrors/${encodeURIComponent(id)}/windows?${new URLSearchParams({ resolution, from, to })}`;
}

/** The newest windows, as far back as the range goes. */
export function recent(page: MirrorWindows, range: Range): MirrorWindows {
  if (range !== "1h") return page;
  const begin = (page.t_unix_ms.at(-1) ?? 0) + page.resolution_s * 1000 - HOUR_MS;
  const first = Math.max(
    0,
    page.t_unix_ms.findIndex((t) => t >= begin),
  );
  const cut = Object.entries(page).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.slice(first) : value,
  ]);
  return Object.fromEntries(cut) as MirrorWindows;
}

export type Base = Pick<TimeSpec, "times" | "resolutionS" | "impaired">;

export function baseOf(page: MirrorWindows): Base {
  return { times: page.t_unix_ms, resolutionS: page.resolution_s, impaired: page.is_impaired };
}

/** The span of time that all charts of the page show. */
export function spanOf({ times, resolutionS }: Base): [number, number] {
  return [times[0] ?? 0, (times.at(-1) ?? 0) + resolutionS * 1000];
}

/** The one line of a mirror's lag: median, with the band from the 5th to the 95th percentile. */
export function lagLine(page: MirrorWindows, name: string): LagLine {
  return {
    id: page.id,
    name,
    slot: 0,
    p50: page.lag_p50_ms,
    low: page.lag_p5_ms,
    p95: page.lag_p95_ms,
    status: page.status,
  };
}

function most(values: readonly Num[]): number {
  return values.reduce<number>((top, value) => Math.max(top, value ?? 0), 0);
}

/** The newest value that is known. */
export function newestOf(values: readonly Num[]): Num {
  return values.findLast((value) => value !== null) ?? null;
}

/** Bars of operations missed, from zero; those that can still change are hollow. */
export function missSpec(page: MirrorWindows): TimeSpec {
  const from = firstOpen(page.status);
  const part = (isOpen: boolean) =>
    // None is no bar: its outline would look like one.
    page.missed.map((value, index) => (index >= from === isOpen && value !== 0 ? value : null));
  const axis = countAxis(most(page.missed));
  return {
    ...baseOf(page),
    series: [
      { label: "missed", values: part(false), colour: "--missed", shape: "bars" },
      { label: "missed, provisional", values: part(true), colour: "--missed", shape: "hollow", dash: [3, 2] },
    ],
    ...axis,
    text: String,
    heightPx: 150,
  };
}

/** Ages from none to hours, in seconds. */
const AGES_S = [0, 1, 10, 60, 600, 3_600, 21_600];

export function freshnessSpec({ series }: MirrorFreshness, base: Base): TimeSpec {
  const top = AGES_S.find((age) => age >= most(series.head_age_s)) ?? most(series.head_age_s);
  const end = Math.max(60, top);
  return {
    times: series.t_unix_ms,
    resolutionS: series.resolution_s,
    impaired: [],
    hatch: base,
    span: spanOf(base),
    series: [{ label: "head age", values: series.head_age_s, colour: "--series-1", shape: "steps" }],
    range: [0, end],
    ticks: AGES_S.filter((age) => age <= end),
    linearBelow: 1,
    text: ageText,
    heightPx: 150,
  };
}

export function ageText(s: number): string {
  if (s < 60) return `${s}\u202fs`;
  return s < 3_600 ? `${s / 60}\u202fmin` : `${s / 3_600}\u202fh`;
}

export function rttSpec({ series }: MirrorRtt, base: Base): TimeSpec {
  const lines = [series.tcp_min_ms, series.primary_tcp_min_ms, series.tcp_info_min_ms];
  const axis = niceAxis(Math.max(...lines.map(most)));
  return {
    times: series.t_unix_ms,
    resolutionS: series.resolution_s,
    impaired: [],
    hatch: base,
    span: spanOf(base),
    series: [
      { label: "TCP connect", values: series.tcp_min_ms, colour: "--series-1", width: 1.25 },
      {
        label: "its live socket",
        values: series.tcp_info_min_ms,
        colour: "--series-4",
        width: 1.25,
        dash: [2, 3],
      },
      {
        label: "primary, TCP connect",
        values: series.primary_tcp_min_ms,
        colour: "--series-6",
        width: 1.25,
        dash: [6, 4],
      },
    ],
    ...axis,
    text: (ms) =>
      ms === 0 ? "0" : ms < 1 ? `${Number((ms * 1000).toPrecision(3))}\u202fµs` : `${ms}\u202fms`,
    heightPx: 150,
  };
}
