import { describe, expect, it } from "vitest";
import { ageText, freshnessSpec, missSpec, recent, rttSpec, spanOf, windowsUrl } from "./mirror-series";
import type { MirrorFreshness, MirrorRtt, MirrorWindows } from "./shapes";

const NOW = Date.parse("2026-11-21T14:05:30.500Z");

describe("windows of a range", () => {
  it("are intervals, hours or days, from a round time on", () => {
    const query = (url: string) => Object.fromEntries(new URLSearchParams(url.split("?")[1]));
    expect(windowsUrl("a.b", "6h", NOW)).toBe("/api/v1/mirrors/a.b/windows?resolution=5m");
    expect(query(windowsUrl("a", "24h", NOW))).toEqual({ resolution: "1h", from: "2026-11-20T14:00:00Z" });
    expect(query(windowsUrl("a", "7d", NOW))).toEqual({ resolution: "1h" });
    expect(query(windowsUrl("a", "30d", NOW))).toEqual({ resolution: "1d", from: "2026-10-22T00:00:00Z" });
  });
});

function windows(n: number): MirrorWindows {
  const of = <T>(value: (index: number) => T) => Array.from({ length: n }, (_, index) => value(index));
  return {
    id: "a",
    resolution: "5m",
    resolution_s: 300,
    t_unix_ms: of((index) => index * 300_000),
    status: of((index) => (index >= n - 2 ? "provisional" : "final")),
    is_impaired: of(() => false),
    decided: of(() => 100),
    late: of(() => 0),
    missed: of((index) => index),
    unknown: of(() => 0),
    pending: of(() => 0),
    healed: of(() => 0),
    lag_n: of(() => 100),
    lag_p5_ms: of(() => 1),
    lag_p50_ms: of(() => 2),
    lag_p95_ms: of(() => 3),
    lag_uncertainty_ms: of(() => 0.5),
  };
}

describe("charts of a mirror", () => {
  it("show an hour as the last twelve intervals", () => {
    const hour = recent(windows(72), "1h");
    expect([hour.t_unix_ms.length, hour.missed[0], hour.id]).toEqual([12, 60, "a"]);
    expect(recent(windows(72), "6h").t_unix_ms).toHaveLength(72);
  });

  it("count misses from zero, hollow where they can still change", () => {
    const spec = missSpec(windows(4));
    expect(spec.range).toEqual([0, 4]);
    expect(spec.series.map(({ values, shape }) => [shape, values])).toEqual([
      ["bars", [null, 1, null, null]],
      ["hollow", [null, null, 2, 3]],
    ]);
  });

  it("have one axis of time", () => {
    const base = { times: [0, 300_000], resolutionS: 300, impaired: [false, true] };
    const series = { resolution_s: 30, kept_s: 21_600, t_unix_ms: [570_000] };
    const freshness = freshnessSpec(
      { series: { ...series, head_age_s: [90], head_lag_ops: [3], reason: [null] } } as MirrorFreshness,
      base,
    );
    expect(freshness.span).toEqual(spanOf(base));
    expect(freshness.span).toEqual([0, 600_000]);
    expect(freshness.hatch).toBe(base);
    expect(freshness.range).toEqual([0, 600]);
    const rtt = rttSpec(
      {
        series: {
          ...series,
          tcp_min_ms: [0.3],
          tcp_max_ms: [1],
          tcp_info_min_ms: [null],
          primary_tcp_min_ms: [38],
        },
      } as MirrorRtt,
      base,
    );
    expect(rtt.ticks).toEqual([0, 10, 20, 30, 40]);
    expect(ageText(300).replace("\u202f", " ")).toBe("5 min");
  });
});
