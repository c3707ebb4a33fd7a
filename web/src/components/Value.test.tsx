import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { holdMarks } from "../marks";
import { Value } from "./Value";

let root: HTMLElement;

function shown(missed: number | null): string | null {
  render(
    <Value of={{ missed }} name="missed">
      {missed}
    </Value>,
    root,
  );
  return root.querySelector("span")?.getAttribute("class") ?? null;
}

beforeEach(() => {
  root = document.createElement("div");
});

afterEach(() => {
  holdMarks(false);
  render(null, root);
});

describe("a figure that changes", () => {
  it("is marked anew at each change, and neither at first nor when it stays", () => {
    expect([1, 1, 2, 2, 3, 4].map(shown)).toEqual([null, null, "mark-a", "mark-a", "mark-b", "mark-a"]);
  });

  it("keeps its mark as it is while it is pointed at", () => {
    shown(1);
    holdMarks(true);
    expect([2, 3].map(shown)).toEqual([null, null]);
    holdMarks(false);
    expect([3, 4].map(shown)).toEqual([null, "mark-a"]);
  });

  it("is marked when it comes to be known", () => {
    shown(null);
    expect(shown(1)).toBe("mark-a");
  });
});
