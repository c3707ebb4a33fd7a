import { describe, expect, it } from "vitest";
import {
  columns,
  EMPTY,
  fits,
  type LiveOp,
  merged,
  OPS_MAX,
  type OpsMessage,
  PACES_MAX,
  pageOf,
  readFilters,
  readMessage,
} from "./ops-log";

function op(number: number, verdict = "pending", kind = "update"): LiveOp {
  return {
    number,
    seq: number,
    did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    cid: `bafy${number}`,
    kind,
    created_at: "2026-11-21T10:00:00.000Z",
    primary_at: "2026-11-21T10:00:00.080Z",
    is_primary_filled: false,
    verdicts: [verdict, "on_time"],
    offsets_ms: [null, 1.5],
    unknown_reasons: [null, null],
  };
}

function message(ops: LiveOp[], second = 0, more: Partial<OpsMessage> = {}): OpsMessage {
  const at = new Date(Date.parse("2026-11-21T10:00:00.000Z") + second * 1_000).toISOString();
  return { at, mirrors: ["a", "b"], hosts: [], ops, ...more };
}

const numbers = (log: { ops: readonly LiveOp[] }) => log.ops.map((o) => o.number);

describe("the log of operations", () => {
  it("takes all, then changes, newest first, and keeps what did not change as it is", () => {
    const first = merged(EMPTY, message([op(2), op(1)], 0, { is_whole: true }));
    const second = merged(first, message([op(3), op(1, "missed")], 1));
    expect(numbers(second)).toEqual([3, 2, 1]);
    expect(second.ops[1]).toBe(first.ops[0]);
    expect(second.ops[2]?.verdicts[0]).toBe("missed");
    const again = merged(second, message([op(3), op(2)], 2, { is_whole: true }));
    expect(numbers(again)).toEqual([3, 2]);
    expect(again.ops[0]).toBe(second.ops[0]);
  });

  it("holds the newest 200 and counts what was never told", () => {
    const many = Array.from({ length: 150 }, (_, i) => op(i));
    const more = Array.from({ length: 150 }, (_, i) => op(i + 300));
    const log = merged(merged(EMPTY, message(many)), message(more, 1, { skipped_ops: 150 }));
    expect(log.ops).toHaveLength(OPS_MAX);
    expect([log.ops[0]?.number, log.skipped]).toEqual([449, 150]);
  });

  it("begins anew when there are other mirrors", () => {
    const log = merged(EMPTY, message([op(1)]));
    const other = merged(log, message([op(2)], 1, { mirrors: ["b"] }));
    expect(numbers(other)).toEqual([2]);
    expect(other.mirrors).toEqual(["b"]);
  });

  it("reckons operations a second from what came, and not over a count that began anew", () => {
    const hosts = (total: number) => [{ id: "p", rate_ops_per_s: null, live_ops_total: total }];
    let log = merged(EMPTY, message([], 0, { hosts: hosts(10) }));
    log = merged(log, message([], 0.5, { hosts: hosts(14) }));
    log = merged(log, message([], 2, { hosts: hosts(20) }));
    log = merged(log, message([], 3, { hosts: hosts(1) }));
    log = merged(log, message([], 4, { hosts: hosts(4) }));
    expect(log.paces.get("p")).toEqual([5, null, 3]);
    for (let second = 5; second < 100; second++) log = merged(log, message([], second, { hosts: hosts(4) }));
    expect(log.paces.get("p")).toHaveLength(PACES_MAX);
  });

  it("reads only what is a message about operations", () => {
    const fields = (value: object) => new Map<string, unknown>(Object.entries(value));
    expect(readMessage(fields({ type: "ops", ...message([op(1)]) }))?.ops).toHaveLength(1);
    for (const bad of [{}, { type: "revision" }, { type: "ops", at: "x", ops: 1, mirrors: [], hosts: [] }])
      expect(readMessage(fields(bad))).toBeNull();
  });
});

describe("the filters", () => {
  it("stand in the address and come back from it", () => {
    const filters = readFilters("kind=update&state=missed&other=1");
    expect(filters).toEqual({ kind: "update", mirror: "", state: "missed" });
    expect(pageOf(filters)).toBe("/live?kind=update&state=missed");
    expect(pageOf(readFilters(""))).toBe("/live");
  });

  it("hold for the kind, and for the state at the mirrors that are shown", () => {
    const mirrors = ["a", "b"];
    const at = (query: string) => {
      const filters = readFilters(query);
      return fits(op(1, "missed"), columns(mirrors, filters), filters);
    };
    expect([at(""), at("kind=update"), at("kind=genesis")]).toEqual([true, true, false]);
    expect([at("state=missed"), at("state=missed&mirror=a"), at("state=missed&mirror=b")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(columns(mirrors, readFilters("mirror=none"))).toEqual([]);
  });
});
