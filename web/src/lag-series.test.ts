import { expect, it } from "vitest";
import { THIN } from "./format";
import { type LagLine, lagRange, lagSpec, lagSummary, lagTicks, newest, tickText } from "./lag-series";
import type { Num } from "./shapes";

const line = (name: string, p50: Num[]): LagLine => ({
  id: name,
  name,
  slot: 0,
  p50,
  low: null,
  p95: p50.map((value) => (value === null ? null : 2 * value)),
  status: p50.map(() => "final"),
});

it("is one scale for all, and grows by whole decades where it must", () => {
  expect(lagRange([])).toEqual([-10, 100_000]);
  expect(lagRange([line("a", [3, null, 412])])).toEqual([-10, 100_000]);
  expect(lagRange([line("a", [120_000])])).toEqual([-10, 1_000_000]);
  expect(lagRange([line("a", [-30, 5])])).toEqual([-100, 100_000]);
});

it("makes a band and a line of each mirror, dashed where it can still change", () => {
  const of = { times: [0, 1, 2], resolutionS: 10, impaired: [] };
  const slow: LagLine = { ...line("a", [1, 2, 3]), status: ["final", "settling", "open"] };
  const spec = lagSpec(of, [line("b", [1, 2, 3]), slow], 0.5);
  expect(spec.series.map(({ shape }) => shape === "edge")).toEqual([
    true,
    true,
    false,
    false,
    true,
    true,
    false,
    false,
  ]);
  expect(spec.bands).toEqual([
    { high: 0, low: 1 },
    { high: 4, low: 5 },
  ]);
  expect(spec.series[6]?.values).toEqual([1, null, null]);
  expect(spec.series[7]?.values).toEqual([1, 2, 3]);
  expect(spec.series[7]?.dash).toEqual([3, 3]);
});

it("marks zero and the decades", () => {
  expect(lagTicks([-10, 1_000])).toEqual([-10, -1, 0, 1, 10, 100, 1_000]);
  expect(tickText(-10)).toBe(`−10${THIN}ms`);
  expect(tickText(10_000)).toBe(`10${THIN}s`);
  expect(tickText(0)).toBe("0");
});

it("sums up in one sentence", () => {
  expect(lagSummary([line("a", [null])])).toContain("No lag has been measured yet");
  expect(lagSummary([line("a", [5])]).replaceAll(THIN, " ")).toBe("Median lag of a is now 5.00 ms.");
  expect(lagSummary([line("a", [5]), line("b", [400, null]), line("c", [null])]).replaceAll(THIN, " ")).toBe(
    "Median lag now: slowest b with 400 ms, quickest a with 5.00 ms.",
  );
  expect(newest(line("a", [1, 2, null]))).toBe(2);
});
