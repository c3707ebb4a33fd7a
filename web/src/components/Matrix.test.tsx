import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { History, HistoryMirror } from "../shapes";
import { Matrix, move } from "./Matrix";

describe("keys in the matrix", () => {
  const at = { row: 1, column: 5 };
  it.each([
    ["ArrowLeft", { row: 1, column: 4 }],
    ["ArrowRight", { row: 1, column: 6 }],
    ["ArrowUp", { row: 0, column: 5 }],
    ["ArrowDown", { row: 2, column: 5 }],
    ["Home", { row: 1, column: 0 }],
    ["End", { row: 1, column: 71 }],
    ["PageDown", { row: 2, column: 5 }],
  ])("%s moves", (key, expected) => expect(move(at, key, 3, 72)).toEqual(expected));
  it("stops at the edges and leaves other keys alone", () => {
    expect(move({ row: 0, column: 0 }, "ArrowLeft", 3, 72)).toEqual({ row: 0, column: 0 });
    expect(move({ row: 2, column: 71 }, "ArrowDown", 3, 72)).toEqual({ row: 2, column: 71 });
    expect(move(at, "a", 3, 72)).toBeNull();
  });
});

function mirror(id: string): HistoryMirror {
  const of = <T,>(value: T) => [value, value];
  return {
    id,
    eligible: of(100),
    decided: of(100),
    missed: of(1),
    late: of(0),
    extra: of(0),
    pending: of(0),
    unknown: of(0),
    coverage_ratio: [0.99, null],
    lag_p50_ms: of(1),
    lag_p95_ms: of(2),
    status: ["final", "open"],
  };
}

const history: History = {
  resolution_s: 300,
  t_unix_ms: [0, 300_000],
  primary: { ops: [100, 100] },
  impaired: [false, false],
  mirrors: [mirror("a"), mirror("b"), mirror("unlisted")],
};

describe("the matrix", () => {
  let host: HTMLElement;
  beforeEach(() => {
    host = document.createElement("div");
    document.body.append(host);
    draw([
      ["b", "Bee"],
      ["a", "Ay"],
    ]);
  });
  const draw = (names: [string, string][]) =>
    act(() => render(<Matrix history={history} names={new Map(names)} />, host));
  afterEach(() => {
    render(null, host);
    host.remove();
  });

  it("has the rows in the order of the table, and forgets none", () => {
    expect([...host.querySelectorAll("[role=rowheader]")].map((e) => e.textContent)).toEqual([
      "Bee",
      "Ay",
      "unlisted",
    ]);
  });
  it("is one tab stop, at the newest interval", () => {
    const stops = [...host.querySelectorAll<HTMLElement>("[data-cell][tabindex='0']")];
    expect(stops.map((e) => e.dataset.cell)).toEqual(["0:1"]);
  });
  it("stays with its mirror when another moves above it", () => {
    act(() => host.querySelector<HTMLElement>("[data-cell='0:1']")?.focus());
    draw([
      ["a", "Ay"],
      ["b", "Bee"],
    ]);
    const stop = host.querySelector<HTMLElement>("[data-cell][tabindex='0']");
    expect([stop?.dataset.cell, stop?.dataset.mirror, document.activeElement]).toEqual(["1:1", "b", stop]);
    act(() => {
      stop?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
    });
    expect((document.activeElement as HTMLElement).dataset.cell).toBe("0:1");
  });
  it("gives every cell its sentence", () => {
    const cell = host.querySelector("[data-cell='0:0']");
    expect(cell?.getAttribute("aria-label")).toMatch(/^00:00–00:05 UTC: 99.% complete, missed 1 of 100/u);
    expect(cell?.className).toContain("step-nines2");
    expect(host.querySelector("[data-cell='0:1']")?.className).toContain("provisional");
  });
});
