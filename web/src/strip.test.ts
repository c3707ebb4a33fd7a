import { describe, expect, it } from "vitest";
import { axisEnd, marks, place } from "./strip";

describe("the axis of an arrival strip", () => {
  it("is the same for all but the latest operations", () => {
    expect(axisEnd([])).toBe(60_000);
    expect(axisEnd([0, 40, 59_000])).toBe(60_000);
    expect(axisEnd([61_000])).toBe(600_000);
    expect(marks(60_000)).toEqual([0, 1, 10, 100, 1_000, 10_000, 60_000]);
  });

  it("begins at the first arrival, ends at its end, and rises all the way", () => {
    const end = axisEnd([]);
    expect(place(0, end)).toBe(0);
    expect(place(end, end)).toBe(1);
    expect(place(1e9, end)).toBe(1);
    expect(place(-5, end)).toBe(0);
    const places = marks(end).map((mark) => place(mark, end));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(place(100, end) - place(10, end)).toBeGreaterThan(0.15);
  });
});
