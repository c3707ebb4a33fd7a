import { expect, it } from "vitest";
import { cellLines } from "./cells";
import { coarsened } from "./coarse";
import type { History } from "./shapes";

/** Hourly windows, each with a hundred operations decided and one of them missed in every tenth. */
function hours(n: number): History {
  const of = <T>(value: (index: number) => T) => Array.from({ length: n }, (_, index) => value(index));
  const missed = (index: number) => (index % 10 === 3 ? 5 : 0);
  return {
    resolution_s: 3_600,
    t_unix_ms: of((index) => index * 3_600_000),
    primary: { ops: of(() => 100) },
    impaired: of((index) => index === 30),
    mirrors: [
      {
        id: "a",
        eligible: of(() => 100),
        decided: of(() => 100),
        missed: of(missed),
        late: of(() => 0),
        extra: of(() => 0),
        pending: of(() => 0),
        unknown: of(() => 0),
        coverage_ratio: of((index) => (index === 0 ? null : 1 - missed(index) / 100)),
        lag_p50_ms: of((index) => index),
        lag_p95_ms: of(() => null),
        status: of((index) => (index === n - 1 ? "open" : "final")),
      },
    ],
  };
}

it("leaves what fits as it is", () => {
  expect(coarsened(hours(72))).toMatchObject({ parts: 1, resolution_s: 3_600 });
  expect(coarsened(hours(72)).t_unix_ms).toHaveLength(72);
});

it("shows the worst of the windows, their sums, and what can still change", () => {
  const coarse = coarsened(hours(720));
  const [mirror] = coarse.mirrors;
  if (mirror === undefined) throw new Error("no mirror");
  expect([coarse.parts, coarse.resolution_s, coarse.t_unix_ms.length]).toEqual([12, 43_200, 60]);
  expect(mirror.coverage_ratio[0]).toBe(0.95);
  expect(mirror.missed[0]).toBe(5);
  expect(mirror.decided[0]).toBe(1_200);
  expect(mirror.lag_p50_ms[0]).toBe(11);
  expect(mirror.lag_p95_ms[0]).toBeNull();
  expect([mirror.status[0], mirror.status.at(-1)]).toEqual(["final", "open"]);
  expect(coarse.impaired.map((is, index) => (is ? index : -1)).filter((index) => index >= 0)).toEqual([2]);
  const [first, second] = cellLines(coarse, mirror, 0);
  expect(first).toMatch(/^worst of 12 windows of 1.h: 95.% complete$/u);
  expect(second).toMatch(/missed 5 of 1.200 in all/u);
});

it("begins cells on round times", () => {
  const history = hours(168);
  history.t_unix_ms = history.t_unix_ms.map((t) => t + 3_600_000);
  const coarse = coarsened(history);
  expect(coarse.parts).toBe(3);
  expect(coarse.t_unix_ms.every((t) => t % (3 * 3_600_000) === 0)).toBe(true);
});
