import { expect, it } from "vitest";
import { lanesOf, lanesSummary, listedFrom, OBSERVER_LANE } from "./event-lanes";
import type { EventRow } from "./shapes";

const at = (s: number) => new Date(s * 1000).toISOString();
let next = 0;
const event = (s: number, source: string | null, kind: string, to?: string): EventRow => {
  next += 1;
  return { id: next, at: at(s), kind, source, text: "t", detail: to === undefined ? null : { to } };
};
const EVENTS = [
  event(50, "m", "link_waiting"),
  event(40, null, "clock_step"),
  event(30, "m", "state_changed", "losing"),
  event(20, "gone", "link_waiting"),
  event(10, "m", "link_synchronized"),
  event(5, "p", "link_waiting"),
];

it("puts each event into the lane of its source, oldest first, and leaves out what is not shown", () => {
  const lanes = lanesOf(EVENTS, ["p", "m", "n"], [10_000, 50_000]);
  expect(lanes.map(({ id, marks }) => [id, marks.map(({ what, state }) => [what, state?.word])])).toEqual([
    [OBSERVER_LANE, [["other", undefined]]],
    ["p", []],
    [
      "m",
      [
        ["link", "connected"],
        ["state", "losing"],
      ],
    ],
    ["n", []],
  ]);
});

it("says in one sentence what the marks say", () => {
  expect(lanesSummary(lanesOf(EVENTS, ["p", "m"], [0, 60_000]))).toBe(
    "In the time shown: 1 change of state at one source, 2 link failures at 2 sources, 1 event of the observer itself.",
  );
  expect(lanesSummary(lanesOf([], ["p"], [0, 60_000]))).toBe(
    "In the time shown: 0 changes of state, 0 link failures, 0 events of the observer itself.",
  );
});

it("knows since when the list has all", () => {
  expect(listedFrom(EVENTS, 7, 0)).toBe(0);
  expect(listedFrom(EVENTS, 6, 0)).toBe(5_000);
  expect(listedFrom(EVENTS, 6, 8_000)).toBe(8_000);
  expect(listedFrom([], 6, 8_000)).toBe(8_000);
});
