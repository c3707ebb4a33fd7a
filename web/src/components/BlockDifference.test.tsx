import { render } from "preact";
import { describe, expect, it } from "vitest";
import type { DifferingBlock } from "../vantage-shapes";
import { BlockDifference } from "./BlockDifference";

const part = (shown_to: string[], not_shown_to: string[], numbers: [number, string][], ops = 1) => ({
  shown_to,
  not_shown_to,
  is_renumbered: not_shown_to.length === 0,
  ops,
  listed: [
    {
      did: "did:plc:x",
      cid: `bafy${numbers[0]?.[0]}`,
      numbers: numbers.map(([seq, id]) => ({ seq, vantages: [id] })),
    },
  ],
});

function shown(operations: DifferingBlock["operations"]): HTMLElement {
  const root = document.createElement("div");
  render(
    <BlockDifference block={{ first_seq: 5000, primary: "p", text: "a and b differ", operations }} />,
    root,
  );
  return root;
}

describe("a block that was shown differently", () => {
  const nothing = { told_by: [], not_held_by: [], awaited_from: ["a", "b"], parts: [], left_out_ops: 0 };

  it("says who was shown which operation, with a link to it", () => {
    const root = shown({
      ...nothing,
      told_by: ["a", "b"],
      awaited_from: ["c"],
      not_held_by: ["d"],
      parts: [
        part(["a"], ["b"], [[5007, "a"]], 3),
        part(
          ["a", "b"],
          [],
          [
            [5008, "a"],
            [5009, "b"],
          ],
        ),
      ],
      left_out_ops: 2,
    });
    const rows = [...root.querySelectorAll("tbody tr")].map((row) =>
      [...row.children].map((cell) => cell.textContent),
    );
    expect(rows).toEqual([
      ["did:plc:xbafy5007", "a as 5007", "b"],
      ["did:plc:xbafy5008", "a as 5008; b as 5009", "nobody: under different numbers"],
    ]);
    expect(root.querySelector("a")?.getAttribute("href")).toBe("/op/did:plc:x/bafy5007");
    expect(root.textContent).toContain("told by a, b; not told yet by c; no longer held by d.");
    expect(root.textContent).toContain("4 more are not listed");
  });

  it("has no table before anything is known", () => {
    const root = shown(nothing);
    expect(root.querySelector("table")).toBeNull();
    expect(root.textContent).toContain("Operations not told yet by a, b.");
  });
});
