import { describe, expect, it } from "vitest";
import { parse, paths } from "../route";
import type { Compare, EventRow } from "../shapes";
import { ahead, asked, verdict } from "./ComparePage";
import { fits, OBSERVER } from "./EventsPage";
import { flat } from "./InternalsPage";

describe("two hosts", () => {
  it("are the primary and the first mirror, unless the address says otherwise", () => {
    expect(asked("", "p", ["m", "n"])).toEqual({ a: "p", b: "m", window: "6h" });
    expect(asked("a=m", "p", ["m", "n"])).toEqual({ a: "m", b: "n", window: "6h" });
    expect(asked("a=m", "p", ["m"])).toEqual({ a: "m", b: "p", window: "6h" });
    expect(asked("a=n&b=m&window=1h", "p", ["m", "n"])).toEqual({ a: "n", b: "m", window: "1h" });
    expect(parse("/compare", "?a=n&b=m&window=1h")).toEqual({ page: "compare", query: "a=n&b=m&window=1h" });
    expect(paths.compare("n", "m", "1h")).toBe("/compare?a=n&b=m&window=1h");
  });

  it("differ in one sentence", () => {
    const page = { both_ops: 10, only_a_ops: 0, only_b_ops: 0 } as Compare;
    expect(verdict(page, "A", "B")).toBe("No difference is known: both have the same 10 operations.");
    expect(verdict({ ...page, only_b_ops: 1 }, "A", "B")).toBe("B has 1 operation that A has not.");
    expect(verdict({ ...page, only_a_ops: 2, only_b_ops: 1 }, "A", "B")).toBe(
      "A has 2 operations that B has not; B has 1 operation that A has not.",
    );
    expect(verdict({ ...page, both_ops: 0 }, "A", "B")).toMatch(/^Nothing can be said yet/);
  });

  it("are ahead of each other only beyond the uncertainty", () => {
    expect(ahead(5, 1, "A", "B")).toMatch(/^A is ahead of B by 5\.00\u202fms/);
    expect(ahead(-5, null, "A", "B")).toMatch(/^B is ahead of A/);
    expect(ahead(-5, 5, "A", "B")).toMatch(/level/);
  });
});

describe("events", () => {
  const event: EventRow = { id: 1, at: "", kind: "clock_step", source: null, text: "", detail: null };
  it("are filtered by source, the observer's own too, and by kind", () => {
    expect(fits(event, "", "")).toBe(true);
    expect(fits(event, OBSERVER, "clock_step")).toBe(true);
    expect(fits(event, OBSERVER, "other")).toBe(false);
    expect(fits(event, "m", "")).toBe(false);
    expect(fits({ ...event, source: "m" }, "m", "")).toBe(true);
    expect(paths.events({ source: "m" })).toBe("/events?source=m");
  });
});

describe("vantages", () => {
  it("have their window in the address", () => {
    expect(parse("/vantages", "?window=1h")).toEqual({ page: "vantages", query: "window=1h" });
    expect(parse("/vantages", "")).toEqual({ page: "vantages", query: "" });
  });
});

describe("internals", () => {
  it("are told by the paths of their leaves, whatever a newer server adds", () => {
    expect(flat({ a: 1, b: { c: null, d: [1, 2] }, e: [{ f: "x" }], g: [] })).toEqual([
      ["a", 1],
      ["b c", "—"],
      ["b d", "1, 2"],
      ["e 1 f", "x"],
    ]);
    expect(flat(null)).toEqual([]);
  });
});
