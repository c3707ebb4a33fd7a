import { expect, it } from "vitest";
import { spread } from "./ends";

it("leaves labels where their lines end, if there is room", () => {
  expect(spread([10, 100, 50], 20, 200)).toEqual([10, 100, 50]);
});
it("moves them apart and keeps them inside", () => {
  expect(spread([50, 50, 52], 20, 200)).toEqual([50, 70, 90]);
  expect(spread([190, 195, 200], 20, 200)).toEqual([160, 180, 200]);
  expect(spread([null, 0], 20, 200)).toEqual([200, 0]);
  expect(spread([], 20, 200)).toEqual([]);
});
