import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Socket } from "./live";
import type { OpsMessage } from "./ops-log";
import { OpsStream } from "./ops-stream";

const closed: Socket = {
  onopen: null,
  onmessage: null,
  onclose: null,
  send: () => undefined,
  close: () => undefined,
};

function message(number: number): OpsMessage {
  const op = {
    number,
    seq: number,
    did: "d",
    cid: "c",
    kind: "update",
    created_at: "",
    primary_at: "",
    is_primary_filled: false,
    verdicts: [],
    offsets_ms: [],
    unknown_reasons: [],
  };
  return { at: new Date(number * 100).toISOString(), mirrors: [], hosts: [], ops: [op] };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("what is shown of the stream", () => {
  it("changes four times a second at most, and ends with the newest", () => {
    const stream = new OpsStream(() => closed);
    let draws = -1;
    const stop = stream.shown.subscribe(() => {
      draws += 1;
    });
    for (let n = 1; n <= 100; n++) {
      stream.take(message(n));
      vi.advanceTimersByTime(20);
    }
    vi.advanceTimersByTime(250);
    expect(draws).toBeGreaterThan(5);
    expect(draws).toBeLessThanOrEqual(10);
    expect(stream.shown.value.ops[0]?.number).toBe(100);
    stop();
  });

  it("asks now and then while as many readers get them as may, and tries again", async () => {
    const ask = vi.fn(async () => new Response("{}", { status: 503 }));
    vi.stubGlobal("fetch", ask);
    const sockets: Socket[] = [];
    const stream = new OpsStream(() => {
      sockets.push({ ...closed });
      return sockets.at(-1) as Socket;
    });
    stream.start();
    sockets[0]?.onopen?.();
    const before = ask.mock.calls.length;
    sockets[0]?.onmessage?.({ data: '{"type":"refused","topic":"ops","limit":256}' } as MessageEvent);
    expect(stream.readersMax.value).toBe(256);
    await vi.advanceTimersByTimeAsync(21_000);
    expect([sockets.length, ask.mock.calls.length]).toEqual([1, before + 4]);
    await vi.advanceTimersByTimeAsync(40_000);
    expect([sockets.length, stream.readersMax.value]).toEqual([2, 0]);
    stream.stop();
  });

  it("stays as it is while it is held, counts what waits, and then shows it at once", () => {
    const stream = new OpsStream(() => closed);
    stream.take(message(1));
    stream.take(message(2));
    stream.hold(true);
    vi.advanceTimersByTime(1_000);
    stream.take(message(3));
    vi.advanceTimersByTime(1_000);
    expect([stream.shown.value.ops.length, stream.waiting.value]).toEqual([1, 2]);
    stream.hold(false);
    expect([stream.shown.value.ops.length, stream.waiting.value]).toEqual([3, 0]);
  });

  it("takes the answer that was fetched only where nothing newer was told", async () => {
    let answer: (response: Response) => void = () => undefined;
    const asked = vi.fn(() => new Promise<Response>((resolve) => (answer = resolve)));
    vi.stubGlobal("fetch", asked);
    const stream = new OpsStream(() => closed);
    stream.start();
    expect(asked).toHaveBeenCalledTimes(1);
    stream.take(message(5));
    answer(new Response(JSON.stringify({ data: message(4) }), { status: 200 }));
    await vi.advanceTimersByTimeAsync(300);
    expect(stream.shown.value.ops.map((op) => op.number)).toEqual([5]);
    stream.stop();
  });
});
