import { expect, it } from "vitest";
import { THIN } from "./format";
import { type LagLine, lagRange, lagSummary, lagTicks, newest, tickText } from "./lag-series";
import type { Num } from "./shapes";

const line = (name: string, p50: Num[]): LagLine => ({ id: name, name, slot: 0, p50 });

it("grows by whole decades and shows the negative side only where there is one", () => {
  expect(lagRange([])).toEqual([0, 1_000]);
  expect(lagRange([line("a", [3, null, 412])])).toEqual([0, 1_000]);
  expect(lagRange([line("a", [12_000])])).toEqual([0, 100_000]);
  expect(lagRange([line("a", [-3, 5])])).toEqual([-10, 1_000]);
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
