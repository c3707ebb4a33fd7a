import { expect, it } from "vitest";
import { linkSpans, upAndDown } from "./link-spans";
import type { Session } from "./shapes";

const at = (s: number) => new Date(s * 1000).toISOString();
const session = (from: number, to: number | null, ended_by: string | null = null): Session => ({
  opened_at: at(from),
  closed_at: to === null ? null : at(to),
  ended_by,
  code: null,
  reason: null,
  resumed_from: null,
  is_caught_up: true,
});

it("covers the whole span, and what is not listed is neither up nor down", () => {
  const spans = linkSpans([session(30, null), session(10, 20, "source")], 0, 40_000);
  expect(
    spans.map(({ fromMs, toMs, state, endedBy }) => [fromMs / 1000, toMs / 1000, state, endedBy]),
  ).toEqual([
    [0, 10, "unlisted", null],
    [10, 20, "up", null],
    [20, 30, "down", "source"],
    [30, 40, "up", null],
  ]);
  expect(upAndDown(spans)).toEqual({ upMs: 20_000, downMs: 10_000, breaks: 1 });
});

it("cuts what lies outside", () => {
  expect(linkSpans([session(10, 20, "link")], 15_000, 30_000).map(({ state }) => state)).toEqual([
    "up",
    "down",
  ]);
  expect(linkSpans([session(100, null)], 0, 50_000).map(({ state }) => state)).toEqual(["unlisted"]);
  expect(linkSpans([], 0, 1_000).map(({ state }) => state)).toEqual(["unlisted"]);
});
