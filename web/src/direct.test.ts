import { describe, expect, it } from "vitest";
import { Comparison, readFrame, streamOf } from "./direct";

const AT = Date.parse("2026-11-21T10:00:00.000Z");

function frame(n: number, operation: object = { type: "plc_operation", prev: "x" }, ago = 100): string {
  const cid = `bafyrei${"a".repeat(20)}${String(n).replace(/\d/g, (d) => "abcdefghij"[Number(d)] ?? "")}`;
  return JSON.stringify({ seq: n, cid, operation, createdAt: new Date(AT - ago).toISOString() });
}

function open(...ids: string[]): Comparison {
  const comparison = new Comparison(ids, "p");
  for (const id of ids) comparison.opened(id, AT);
  return comparison;
}

function row(comparison: Comparison, id: string, atMs = AT) {
  const found = comparison.rows(atMs).find((one) => one.id === id);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
}

describe("a browser's own comparison", () => {
  it("counts which of the primary's operations came, before it or after it, each once", () => {
    const comparison = open("p", "m");
    comparison.take("m", frame(1), AT);
    comparison.take("p", frame(1), AT);
    comparison.take("p", frame(2), AT);
    comparison.take("p", frame(3), AT);
    comparison.take("m", frame(3), AT);
    comparison.take("m", frame(3), AT);
    comparison.take("m", frame(9), AT);
    const { events, of, came } = row(comparison, "m");
    expect({ events, of, came }).toEqual({ events: 4, of: 3, came: 2 });
    expect(row(comparison, "p")).toMatchObject({ events: 3, of: 3, came: 3 });
  });

  it("blames nobody for what the primary sent while its socket was not open", () => {
    const comparison = new Comparison(["p", "m"], "p");
    comparison.opened("p", AT);
    comparison.take("p", frame(1), AT);
    comparison.opened("m", AT);
    comparison.take("m", frame(1), AT);
    comparison.take("p", frame(2), AT);
    comparison.closed("m", "closed");
    comparison.take("p", frame(3), AT);
    expect(row(comparison, "m")).toMatchObject({ of: 1, came: 0, phase: "closed" });
  });

  it("tells now − createdAt, kinds and events a second", () => {
    const comparison = open("p");
    comparison.take("p", frame(1, { type: "plc_operation", prev: null }, 50), AT + 100);
    comparison.take("p", frame(2, { type: "plc_operation", prev: "x" }, 150), AT + 1_100);
    comparison.take("p", frame(3, { type: "plc_tombstone" }, 250), AT + 1_200);
    comparison.take("p", frame(4, { type: "create" }, 350), AT + 1_300);
    comparison.take("p", frame(5, { type: "new" }, 450), AT + 1_400);
    const { kinds, lastMs, p50Ms, perSecond } = row(comparison, "p", AT + 2_000);
    expect([...kinds]).toEqual([
      ["genesis", 1],
      ["update", 1],
      ["tombstone", 1],
      ["legacy_create", 1],
      ["other", 1],
    ]);
    expect([lastMs, p50Ms, perSecond]).toEqual([1_850, 1_450, 2.5]);
    expect(row(comparison, "p", AT + 500).perSecond).toBeNull();
  });

  it("counts what is no operation apart, and takes nothing too large", () => {
    const comparison = open("p");
    for (const bad of [
      "",
      "[]",
      "null",
      "{}",
      '{"cid":"<b>","operation":{},"createdAt":"x"}',
      "x".repeat(300_000),
    ])
      comparison.take("p", bad, AT);
    expect(row(comparison, "p")).toMatchObject({ events: 0, unread: 6, lastMs: null });
    comparison.take("p", frame(1).replace(/"createdAt":"[^"]*"/, '"created_at":"never"'), AT);
    expect(row(comparison, "p")).toMatchObject({ events: 1, lastMs: null });
    expect(readFrame(frame(1))?.kind).toBe("update");
  });

  it("stays bounded", () => {
    const comparison = open("p", "m");
    for (let n = 0; n < 20_500; n++) comparison.take("p", frame(n), AT + n);
    comparison.take("m", frame(0), AT);
    comparison.take("m", frame(20_499), AT);
    expect(row(comparison, "m")).toMatchObject({ of: 20_500, came: 1 });
  });
});

describe("the address of a stream", () => {
  it("is that of the host as configured", () => {
    expect(streamOf("wss://plc.example.org", "stream")).toBe("wss://plc.example.org/export/stream");
    expect(streamOf("ws://127.0.0.1:4000", "auto")).toBe("ws://127.0.0.1:4000/export/stream");
    expect(streamOf("wss://bundle.example.org", "plcbundle")).toBe("wss://bundle.example.org/ws");
  });

  it("is none where there is no stream, and where a page cannot open it", () => {
    for (const transport of ["export", "resolve", "new"])
      expect(streamOf("wss://plc.example.org", transport)).toBeNull();
    for (const url of ["https://plc.example.org", "wss://[::1]:3000", "wss://a b", "javascript:alert(1)", ""])
      expect(streamOf(url, "stream")).toBeNull();
  });
});
