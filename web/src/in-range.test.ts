import { expect, it } from "vitest";
import { inRange } from "./in-range";
import { type Coverage, type Lag, type Overview, reasonOf } from "./shapes";

const coverage = (ratio: number) => ({ coverage_ratio: ratio, counts: { missed: 1 } }) as Coverage;
const lag = (p50_ms: number) => ({ p50_ms }) as Lag;
const overview = {
  headline: "h",
  mirrors: [
    { id: "a", state: "ok", coverage: coverage(0.5), lag: lag(1) },
    { id: "b", state: "losing", coverage: coverage(0.6), lag: lag(2) },
  ],
} as Overview;

it("takes the figures of the range, and leaves the state as it is", () => {
  const shown = inRange(
    overview,
    { mirrors: [{ id: "b", coverage: coverage(0.9) }] },
    { mirrors: [{ id: "b", lag: lag(7) }] },
  );
  expect(shown.mirrors[1]?.coverage.coverage_ratio).toBe(0.9);
  expect(shown.mirrors[1]?.lag.p50_ms).toBe(7);
  expect(shown.mirrors[1]?.state).toBe("losing");
});

it("shows no figure of another range while it waits", () => {
  const [a] = inRange(overview, null, null).mirrors;
  if (a === undefined) throw new Error("no mirror");
  expect([a.coverage.coverage_ratio, a.lag.p50_ms, a.coverage.counts.missed]).toEqual([null, null, null]);
  expect(reasonOf(a.coverage, "coverage_ratio")).toBe("loading");
  expect(reasonOf(a.coverage.counts, "missed")).toBe("loading");
  expect(reasonOf(a.lag, "p95_ms")).toBe("loading");
});
