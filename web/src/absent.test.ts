import { expect, it } from "vitest";
import { absentRuns, spanText } from "./absent";
import { coarsened } from "./coarse";
import type { History } from "./shapes";

const HOUR_MS = 3_600_000;
const day = Date.UTC(2026, 10, 20);

function history(reason: (string | null)[]): History {
  return {
    resolution_s: 3_600,
    t_unix_ms: reason.map((_, index) => day + index * HOUR_MS),
    primary: { ops: [] },
    impaired: [],
    reason,
    mirrors: [],
  };
}

it("tells what is not known, and why", () => {
  const page = history(["before_first_start", "before_first_start", null, "retention", "no_data", null]);
  expect(absentRuns(page)).toEqual([
    { fromMs: day, toMs: day + 2 * HOUR_MS, reason: "before_first_start" },
    { fromMs: day + 3 * HOUR_MS, toMs: day + 4 * HOUR_MS, reason: "retention" },
    { fromMs: day + 4 * HOUR_MS, toMs: day + 5 * HOUR_MS, reason: "no_data" },
  ]);
  const text = spanText(page);
  expect(text).toContain(
    "Shown is 20 Nov 00:00–20 Nov 06:00 UTC, in steps of 1 h.".replace("1 h", "1\u202fh"),
  );
  expect(text).toContain("No data 20 Nov 00:00–20 Nov 02:00 UTC: before the first start.");
  expect(text).toContain("No data 20 Nov 03:00–20 Nov 04:00 UTC: not kept any more.");
});

it("bounds what is told one by one", () => {
  const text = spanText(history(Array.from({ length: 20 }, (_, index) => (index % 2 ? "no_data" : null))));
  expect(text.match(/No data/g)).toHaveLength(4);
  expect(text).toContain("6 more spans without data.");
  expect(absentRuns(history([null, null]))).toEqual([]);
});

it("keeps the reason of cells that stand for several entries", () => {
  const coarse = coarsened(history(Array.from({ length: 100 }, () => "retention")));
  expect(coarse.parts).toBe(2);
  expect(coarse.reason?.every((why) => why === "retention")).toBe(true);
});
