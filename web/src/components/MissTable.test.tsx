import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { read } from "../miss-filters";
import type { OpRow } from "../shapes";
import { MissTable } from "./MissTable";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const row = (cid: string, more: Partial<OpRow> = {}): OpRow => ({
  mirror: "m",
  did: DID,
  cid,
  seq: 7,
  kind: "update",
  verdict: "missed",
  confirmation: "data_loss",
  primary_at: "2026-11-21T02:00:00.123Z",
  mirror_at: null,
  created_at: "2026-11-21T02:00:00.000Z",
  ...more,
});

let root: HTMLElement;
let asked: string[];

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
  asked = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    const ops = ["f1", "f2"].map((cid) => row(cid, { follows: "r", followers: 0 }));
    return new Response(JSON.stringify({ data: { ops }, meta: {} }));
  });
});

afterEach(() => {
  render(null, root);
  root.remove();
  vi.unstubAllGlobals();
});

describe("the list of misses", () => {
  it("says what was found in words, beside shape and state", () => {
    render(<MissTable rows={[row("a"), row("b", { confirmation: null })]} filters={read("")} />, root);
    const cells = [...root.querySelectorAll("td[data-label=Explanation]")].map((cell) => cell.textContent);
    expect(cells).toEqual(["its log lacks it", "not asked yet"]);
    expect(root.querySelector("td[data-label=Outcome]")?.textContent).toBe("✕missed");
    expect(root.querySelector("td[data-label=Operation] a")?.getAttribute("href")).toBe(`/op/${DID}/a`);
  });

  it("folds what follows under its root and asks for it when it is opened", async () => {
    render(<MissTable rows={[row("r", { followers: 19 })]} filters={read("")} />, root);
    const fold = root.querySelector("details");
    expect(fold?.querySelector("summary")?.textContent).toBe("19 follow");
    expect(asked).toEqual([]);
    await act(async () => {
      if (fold !== null) fold.open = true;
      fold?.dispatchEvent(new Event("toggle"));
      await new Promise((done) => setTimeout(done, 20));
    });
    expect(asked).toEqual(["/api/v1/ops?mirror=m&verdict=missed&follows=r&limit=100"]);
    await vi.waitFor(() => expect([...root.querySelectorAll(".followers li")].length).toBe(2));
    expect(root.querySelector(".chain > a")?.getAttribute("href")).toBe("/misses?mirror=m&follows=r");
  });

  it("names the root of what follows", () => {
    render(<MissTable rows={[row("f", { follows: "theroot1" })]} filters={read("chain=any")} />, root);
    expect(root.querySelector("td[data-label=Explanation]")?.textContent).toContain("follows …theroot1");
  });
});
