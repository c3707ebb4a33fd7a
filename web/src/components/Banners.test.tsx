import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Overview } from "../shapes";
import { Saving } from "./Banners";

const overview = (observer: Partial<Overview["observer"]>): Overview => ({
  headline: "",
  observer: { state: "ok", flags: [], since_at: null, ...observer },
  primary: {} as Overview["primary"],
  mirrors: [],
});

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
});

afterEach(() => {
  render(null, root);
});

describe("what is wrong with what is kept", () => {
  it("is nothing as long as nothing is told", () => {
    render(<Saving data={overview({ degraded: [], totals_restarted_at: null })} />, root);
    expect(root.textContent).toBe("");
  });

  it("says since when and why, as text", () => {
    const told = "disk_full since 2026-11-21T02:10:00.000Z: state: no space left in <b>x</b>";
    render(<Saving data={overview({ degraded: [told] })} />, root);
    expect(root.querySelector("[data-degraded]")?.textContent).toBe(`▲ ${told}`);
    expect(root.querySelector("b")).toBeNull();
  });

  it("marks totals that began anew", () => {
    render(<Saving data={overview({ totals_restarted_at: "2026-11-15T03:04:05.000Z" })} />, root);
    expect(root.querySelector("[data-restarted]")?.textContent).toContain(
      "Lifetime totals start at 2026-11-15",
    );
  });
});
