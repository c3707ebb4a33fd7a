import { expect, it } from "vitest";
import { cumulated, place, shareAt, stepPath } from "./log-axis";

it("is the same for whatever is drawn, and keeps what lies outside at its ends", () => {
  expect([-5, 0, 1, 10, 1_000, 100_000, 1e9].map((ms) => Number(place(ms).toFixed(3)))).toEqual([
    0, 0, 0, 0.2, 0.6, 1, 1,
  ]);
});

it("cumulates a histogram, and what was lost never comes", () => {
  const histogram = { from_ms: [-1, 5, 50], to_ms: [0, 10, 100], count: [1, 2, 1] };
  expect(cumulated(histogram, 0)).toEqual([
    [0, 0.25],
    [10, 0.75],
    [100, 1],
  ]);
  expect(cumulated(histogram, 4).at(-1)).toEqual([100, 0.5]);
  expect(cumulated({ from_ms: [], to_ms: [], count: [] }, 0)).toEqual([]);
});

it("draws steps that begin with what has come before the axis", () => {
  const curve = [
    [0, 0.25],
    [10, 0.75],
    [200_000, 1],
  ] as const;
  expect(shareAt(curve, 9.9)).toBe(0.25);
  expect(stepPath(curve, 100, 40)).toBe("M0 30.0H20.0V10.0H100.0");
  expect(stepPath([], 100, 40)).toBe("");
});
