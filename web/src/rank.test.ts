import { describe, expect, it } from "vitest";
import { missTotals, slowest, worstCoverage, worstFirst } from "./rank";
import type { Mirror } from "./shapes";

function mirror(
  name: string,
  state: string,
  coverage: number | null,
  p95: number | null,
  missed = 0,
): Mirror {
  return {
    id: name,
    name,
    url: `wss://${name}`,
    transport: "stream",
    link: { state: "synchronized", connected_ratio: 1 },
    coverage: {
      coverage_ratio: coverage,
      low95_ratio: null,
      high95_ratio: null,
      observed_ratio: 1,
      counts: { decided: coverage === null ? 0 : 100, missed, healed: 1 },
    },
    lag: { n: 1, p50_ms: p95, p95_ms: p95, p99_ms: p95, uncertainty_ms: 1 },
    rtt: { tcp_ms: 1 },
    freshness: { head_lag_ops: 0, head_age_s: 0 },
    received_ops: 0,
    rejected_frames: 0,
    state,
  };
}

const mirrors = [
  mirror("good", "ok", 1, 4),
  mirror("slow", "lagging", 1, 900),
  mirror("empty", "unknown", null, null),
  mirror("dropper", "losing", 0.99, 5, 1),
  mirror("newer", "a_new_word", 0.5, 5),
  mirror("worse", "ok", 0.998, 4, 2),
];

describe("worst first", () => {
  it("orders by state, then coverage, and tolerates new states", () => {
    expect(worstFirst(mirrors).map((m) => m.name)).toEqual([
      "dropper",
      "slow",
      "newer",
      "empty",
      "worse",
      "good",
    ]);
  });
  it("does not depend on the order that it is given", () => {
    expect(worstFirst([...mirrors].reverse())).toEqual(worstFirst(mirrors));
  });
  it("names the worst coverage and the slowest, never a mirror without a figure", () => {
    expect(worstCoverage(mirrors)?.name).toBe("newer");
    expect(slowest(mirrors)?.name).toBe("slow");
    expect(worstCoverage([mirror("empty", "unknown", null, null)])).toBeNull();
    expect(slowest([])).toBeNull();
  });
});

it("adds misses up, and says nothing before anything was decided", () => {
  expect(missTotals(mirrors)).toEqual({ missed: 3, healed: 6, decided: 500, mirrors: 2 });
  expect(missTotals([mirror("empty", "unknown", null, null)])).toBeNull();
});
