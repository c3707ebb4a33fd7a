import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { THIN } from "../format";
import type { MirrorDivergence, MirrorLag, Propagation } from "../shapes";
import { Cdf } from "./Cdf";
import { depth, divergenceSummary } from "./DivergenceStrip";
import { leftText } from "./HeldTo";
import { distributionSummary } from "./LagDistribution";
import { lazily } from "./lazily";
import { basisText, lineName, propagationSummary } from "./Propagation";
import { Twin } from "./Twin";

const plain = (text: string) => text.replaceAll(THIN, " ");

describe("sentences of charts", () => {
  it("tell how operations spread", () => {
    const line = (mirrors: number, p50_ms: number | null, never_ops: number) => ({
      mirrors,
      op_ratio: [],
      never_ops,
      p50_ms,
      p95_ms: null,
    });
    const page = { ops_used: 100, by_mirrors: [line(1, 2, 0), line(2, 30, 4)] } as unknown as Propagation;
    expect(plain(propagationSummary(page))).toBe(
      "Half of the operations are at one mirror after 2.00 ms and at all 2 after 30.0 ms; 4 of 100 never reached them all.",
    );
    const basis = { ...page, ops_left_out: 20, ops_in_window: 960, sampled_every: 8 };
    expect(plain(basisText(basis))).toMatch(/^Made of 100 of 120 operations looked at \(one in 8 of 960\)/);
    expect(plain(basisText({ ...basis, sampled_every: 1 }))).toMatch(
      /^Made of 100 of 120 operations looked at:/,
    );
    expect(propagationSummary({ ...page, by_mirrors: [] })).toMatch(/cannot be told yet/);
    expect([lineName(1, 3), lineName(2, 3), lineName(3, 3), lineName(1, 1)]).toEqual([
      "one mirror",
      "2 mirrors",
      "all 3 mirrors",
      "the mirror",
    ]);
  });

  it("tell what a distribution comes to", () => {
    const page = {
      lag: { n: 1_000, p50_ms: 2, p95_ms: 40, p99_ms: null, uncertainty_ms: 3 },
      lost_ops: 7,
    } as MirrorLag;
    expect(plain(distributionSummary(page))).toBe(
      "Of 1 000 timed operations half came within ≈ 0, 95 % within 40.0 ms; 7 more never came.",
    );
    expect(distributionSummary({ ...page, lag: { ...page.lag, n: 0 } })).toMatch(/^No operation/);
  });

  it("tell what is on one side only, and for how long", () => {
    const page = {
      age_ge_s: [1, 60, 3_600],
      missing_ops: [9, 5, 2],
      extra_ops: [0, 0, 0],
    } as unknown as MirrorDivergence;
    expect(plain(divergenceSummary(page))).toBe(
      "It lacks 9 operations, 2 for 1 h or more; it has none of its own",
    );
    expect(divergenceSummary({ ...page, missing_ops: [0, 0, 0] })).toBe("Nothing is on one side only");
    expect([0, 1, 9, 10, 100].map(depth)).toEqual([0, 1, 1, 2, 3]);
  });
});

describe("parts of charts", () => {
  let host: HTMLElement;
  beforeEach(() => {
    host = document.createElement("div");
    document.body.append(host);
  });
  afterEach(() => {
    render(null, host);
    host.remove();
  });

  it("a twin makes its rows when it is opened", () => {
    const rows = vi.fn(() => [["a", "1"]]);
    act(() => render(<Twin caption="c" head={["name", "n"]} rows={rows} />, host));
    expect(rows).not.toHaveBeenCalled();
    const details = host.querySelector("details");
    if (details === null) throw new Error("no details");
    act(() => {
      details.open = true;
      details.dispatchEvent(new Event("toggle"));
    });
    expect([...host.querySelectorAll("th, td")].map((cell) => cell.textContent)).toEqual([
      "name",
      "n",
      "a",
      "1",
    ]);
  });

  it("a picture has its sentence", () => {
    act(() => render(<Cdf lines={[]} summary="nothing came" />, host));
    expect(host.querySelector("svg")?.getAttribute("aria-label")).toBe("nothing came");
  });

  it("a part whose code cannot be had says so", async () => {
    const Late = lazily(() => Promise.reject(new Error("404")));
    act(() => render(<Late />, host));
    await act(async () => undefined);
    expect(host.querySelector("[role=alert]")?.textContent).toMatch(/could not be loaded/);
  });

  it("a part comes once its code has come", async () => {
    const Late = lazily(() => Promise.resolve(() => <b>here</b>));
    act(() => render(<Late />, host));
    expect(host.textContent).toBe("Loading…");
    await act(async () => undefined);
    expect(host.textContent).toBe("here");
  });
});

describe("an error budget", () => {
  it("is left in part, or spent so many times over", () => {
    expect(plain(leftText(0.6))).toBe("60.0 %");
    expect(leftText(0)).toMatch(/^0/);
    expect(leftText(-2)).toBe("spent 3 times");
  });
});
