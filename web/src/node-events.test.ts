import { describe, expect, it } from "vitest";
import { EVENTS_MAX, lanes, type NodeEvent, readEvent, spanOf, withNew } from "./node-events";

const MINUTE = 60_000;

function event(added: number, sender: string, sentMs = added): NodeEvent {
  return { added, sender, sentMs, receivedMs: sentMs + 5, event: "e", message: "m" };
}

describe("an event of a node", () => {
  const action = {
    type: "node/event",
    time: "1700000000123456789",
    sender: "s",
    eventtype: "e",
    message: "<m>",
  };
  it("is read off an action of the log", () => {
    const read = readEvent({ added: 7, time: 1_700_000_000_200, action });
    expect(read).toEqual({
      added: 7,
      sentMs: 1_700_000_000_123.456_8,
      receivedMs: 1_700_000_000_200,
      sender: "s",
      event: "e",
      message: "<m>",
    });
  });

  it("is nothing where anything else was sent", () => {
    for (const row of [
      null,
      7,
      {},
      { added: 1, time: 1 },
      { added: "1", time: 1, action },
      { added: 1, time: 1, action: { ...action, type: "other" } },
      { added: 1, time: 1, action: { ...action, sender: 7 } },
      { added: 1, time: 1, action: { ...action, message: undefined } },
    ])
      expect(readEvent(row)).toBeNull();
  });

  it("that names no time was sent when it was received", () => {
    for (const time of ["9".repeat(30), "x", undefined])
      expect(readEvent({ added: 1, time: 5, action: { ...action, time } })?.sentMs).toBe(5);
  });
});

describe("lanes", () => {
  it("are one a sender, sorted, each by its own clock", () => {
    const found = lanes([
      event(1, "b", 30),
      event(2, "a", 20),
      event(3, "b", 10),
      event(4, "\u{1f600}"),
      event(5, "\uffff"),
    ]);
    expect(found.map((lane) => lane.sender)).toEqual(["a", "b", "\u{1f600}", "\uffff"]);
    expect(found[1]?.events.map((e) => e.added)).toEqual([3, 1]);
  });

  it("tell of the times in which nothing was reported", () => {
    const [lane] = lanes([event(1, "a", 0), event(2, "a", 10 * MINUTE), event(3, "a", 21 * MINUTE)]);
    expect(lane?.gaps).toEqual([{ fromMs: 10 * MINUTE, toMs: 21 * MINUTE }]);
  });

  it("span from the first to the last", () => {
    expect(spanOf([event(1, "a", 5_000), event(2, "b", 1_000)])).toEqual([1_000, 5_000]);
    expect(spanOf([event(1, "a", 5_000)])).toEqual([5_000, 6_000]);
  });
});

describe("what comes", () => {
  it("is taken once, and the oldest go", () => {
    const held = [event(1, "a"), event(2, "a")];
    expect(withNew(held, [event(2, "a"), event(3, "b")]).map((e) => e.added)).toEqual([1, 2, 3]);
    expect(withNew(held, [event(1, "a")])).toBe(held);
    const many = Array.from({ length: EVENTS_MAX }, (_, n) => event(10 + n, "c"));
    const all = withNew(held, many);
    expect([all.length, all[0]?.added]).toEqual([EVENTS_MAX, 10]);
  });
});
