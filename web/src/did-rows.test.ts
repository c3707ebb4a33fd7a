import { describe, expect, it } from "vitest";
import { rows } from "./did-rows";
import type { DidPage, OpRow, Survey } from "./shapes";

const host = (id: string, role = "mirror") => ({
  id,
  name: id,
  role,
  standing: null,
  agreement: null,
  latest_probe: null,
});
const at = (mirror: string, verdict: string, cid: string): OpRow => ({
  mirror,
  verdict,
  did: "d",
  cid,
  seq: null,
  kind: "update",
  primary_at: null,
  mirror_at: null,
  created_at: "2026-11-21T02:00:02.000Z",
});
const entry = (cid: string, second: number, is_nullified = false) => ({
  cid,
  is_cid_true: true,
  is_nullified,
  created_at: `2026-11-21T02:00:0${second}.000Z`,
  kind: "update",
});

function page(survey: Survey | null): DidPage {
  return {
    did: "d",
    hosts: [host("p", "primary"), host("m")],
    ops: [
      {
        cid: "b",
        seq: 1,
        kind: "update",
        primary_at: "2026-11-21T02:00:02.100Z",
        is_primary_filled: false,
        created_at: "2026-11-21T02:00:02.000Z",
        mirrors: { m: at("m", "on_time", "b") },
      },
    ],
    total_ops: 1,
    truncated: false,
    extras: [at("m", "extra", "c")],
    survey,
  };
}

const survey = (entries: ReturnType<typeof entry>[], total = entries.length): Survey => ({
  at: "2026-11-21T03:00:00.000Z",
  asked_as: "sample",
  has_measure: true,
  is_identical: false,
  unsettled: [],
  withdrawn: [],
  hosts: [
    { id: "p", standing: "log", agreement: null, total_entries: 2, entries: [entry("a", 1), entry("b", 2)] },
    { id: "m", standing: "log", agreement: "behind", total_entries: total, entries },
  ],
});

describe("the log of a DID", () => {
  it("joins streams and logs by CID, oldest first", () => {
    const all = rows(page(survey([entry("a", 1, true)])));
    expect(all.map((row) => row.cid)).toEqual(["a", "b", "c"]);
    const [a, b, c] = all;
    expect(a?.cells.get("p")?.log).toBe("listed");
    expect(a?.cells.get("m")).toEqual({ stream: null, publishedAt: null, log: "nullified" });
    expect(b?.cells.get("p")?.publishedAt).toBe("2026-11-21T02:00:02.100Z");
    expect(b?.cells.get("m")?.stream?.verdict).toBe("on_time");
    expect(b?.cells.get("m")?.log).toBe("absent");
    expect(c?.cells.get("m")?.stream?.verdict).toBe("extra");
    expect(all.map((row) => row.differs)).toEqual([true, true, true]);
  });

  it("says nothing of a log's older end that was cut off", () => {
    const [a] = rows(page(survey([entry("b", 2)], 50)));
    expect(a?.cid).toBe("a");
    expect(a?.cells.get("m")?.log).toBeNull();
    expect(a?.differs).toBe(false);
  });

  it("says nothing of what was made about when the hosts were asked, or later", () => {
    const early = { ...survey([entry("a", 1)]), at: "2026-11-21T02:01:00.000Z" };
    const b = rows(page(early)).find((row) => row.cid === "b");
    expect(b?.cells.get("m")?.log).toBeNull();
    expect(b?.differs).toBe(false);
  });

  it("stands without any log", () => {
    const all = rows(page(null));
    expect(all.map((row) => [row.cid, row.differs])).toEqual([
      ["b", false],
      ["c", true],
    ]);
  });
});
