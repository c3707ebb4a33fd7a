import { describe, expect, it } from "vitest";
import { spans } from "./plot-marks";
import { countAxis, firstOpen, parted } from "./time-spec";

describe("series", () => {
  it("are parted where they can still change, and stay one line", () => {
    expect(parted([1, 2, 3, 4], 2)).toEqual({ firm: [1, 2, null, null], open: [null, 2, 3, 4] });
    expect(firstOpen(["final", "revised", "settling", "open"])).toBe(2);
    expect(firstOpen(["final", null, "provisional"])).toBe(2);
    expect(firstOpen([null, "final"])).toBe(2);
  });
  it("of counts have whole ticks from zero", () => {
    expect(countAxis(0)).toEqual({ range: [0, 4], ticks: [0, 1, 2, 3, 4] });
    expect(countAxis(7)).toEqual({ range: [0, 8], ticks: [0, 2, 4, 6, 8] });
    expect(countAxis(38).ticks).toEqual([0, 10, 20, 30, 40]);
    expect(countAxis(1_234).range[1]).toBeGreaterThanOrEqual(1_234);
  });
});

it("impaired intervals beside each other are one span", () => {
  expect(
    spans({ times: [0, 10_000, 20_000, 30_000], resolutionS: 10, impaired: [true, true, null, true] }),
  ).toEqual([
    { fromS: 0, toS: 20 },
    { fromS: 30, toS: 40 },
  ]);
});
