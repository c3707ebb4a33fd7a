import { describe, expect, it } from "vitest";
import { axisLabels, cellAt, cellLines, intervalEnd, spanText, stepOf } from "./cells";
import { THIN } from "./format";
import type { History, HistoryMirror } from "./shapes";

const start = Date.UTC(2026, 10, 21, 14, 0);
const mirror: HistoryMirror = {
  id: "m",
  eligible: [100, 100, null, 40],
  decided: [100, 0, null, 20],
  missed: [1, 0, null, 0],
  late: [2, 0, null, 0],
  extra: [3, 0, null, 0],
  pending: [0, 0, null, 20],
  unknown: [0, 100, null, 0],
  coverage_ratio: [0.99, null, null, 1],
  lag_p50_ms: [12.3, null, null, 4],
  lag_p95_ms: [40, null, null, 8],
  status: ["final", "final", null, "open"],
};
const history: History = {
  resolution_s: 300,
  t_unix_ms: [0, 1, 2, 3].map((i) => start + i * 300_000),
  primary: { ops: [100, 100, null, 40] },
  impaired: [false, true, null, false],
  mirrors: [mirror],
};

describe("steps by nines", () => {
  it.each([
    [1, "full"],
    [0.9999, "nines3"],
    [0.999, "nines3"],
    [0.9989, "nines2"],
    [0.99, "nines2"],
    [0.95, "p95"],
    [0.9499, "low"],
    [0, "low"],
    [null, "none"],
    [undefined, "none"],
  ])("%s is %s", (ratio, step) => expect(stepOf(ratio)).toBe(step));
});

describe("cells", () => {
  it("tell loss, ignorance, silence and unfinished intervals apart", () => {
    expect(cellAt(history, mirror, 0)).toEqual({
      step: "nines2",
      provisional: false,
      unknown: false,
      hasExtra: true,
      impaired: false,
    });
    expect(cellAt(history, mirror, 1)).toMatchObject({ step: "none", unknown: true, impaired: true });
    expect(cellAt(history, mirror, 2)).toMatchObject({ step: "none", unknown: false, provisional: false });
    expect(cellAt(history, mirror, 3)).toMatchObject({ step: "full", provisional: true });
  });
  it("explain themselves", () => {
    const lines = (index: number) =>
      cellLines(history, mirror, index).map((line) => line.replaceAll(THIN, " "));
    expect(lines(0)).toEqual([
      "99 % complete, missed 1 of 100",
      "2 late, 3 extra",
      "lag p50 12.3 ms, p95 40.0 ms",
      "final",
    ]);
    expect(lines(1)).toContain("observer impaired: part of this time is not counted");
    expect(lines(2)).toEqual(["no data"]);
    expect(lines(3)).toContain("open, provisional");
  });
  it("say when they were", () => {
    expect(spanText(history, 1)).toBe("14:05–14:10 UTC");
    expect(spanText(history, 9)).toBe("—");
  });
});

it("labels round times only", () => {
  const long = { ...history, t_unix_ms: Array.from({ length: 72 }, (_, i) => start + i * 300_000) };
  expect([...axisLabels(long, 7)]).toEqual([
    [0, "14:00"],
    [12, "15:00"],
    [24, "16:00"],
    [36, "17:00"],
    [48, "18:00"],
    [60, "19:00"],
  ]);
  const trial = {
    ...history,
    resolution_s: 10,
    t_unix_ms: Array.from({ length: 72 }, (_, i) => start + i * 10_000),
  };
  expect(axisLabels(trial, 7).get(12)).toBe("14:02");
});

it("knows when the running interval ends", () => {
  expect(intervalEnd(start + 1, 300)).toBe(start + 300_000);
  expect(intervalEnd(start, 300)).toBe(start + 300_000);
});
