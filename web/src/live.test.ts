import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoffMs, Live, liveUrl, type Socket } from "./live";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;
  sent: string[] = [];
  send(text: string) {
    this.sent.push(text);
  }
  close() {
    this.closed = true;
  }
  say(message: unknown) {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }
}

let sockets: FakeSocket[];
const onRevision = vi.fn();
const onCatchUp = vi.fn();

function live(): Live {
  return new Live({
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    onRevision,
    onCatchUp,
    silenceMs: () => 20_000,
    random: () => 1,
  });
}

function newest(): FakeSocket {
  const socket = sockets.at(-1);
  if (socket === undefined) throw new Error("no socket was opened");
  return socket;
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  onRevision.mockReset();
  onCatchUp.mockReset();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the live socket", () => {
  it("says what it wants when it opens, each time, and hands other messages on", () => {
    const onMessage = vi.fn();
    const subject = new Live({
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      greeting: "want",
      onMessage,
      onRevision,
      onCatchUp,
      silenceMs: () => 20_000,
      random: () => 1,
    });
    subject.start();
    newest().onopen?.();
    newest().say({ type: "ops", ops: [] });
    newest().say({ type: "revision", topic: "overview", revision: 17 });
    expect(onMessage).toHaveBeenCalledTimes(1);
    expect(onMessage.mock.calls[0]?.[0].get("type")).toBe("ops");
    newest().onclose?.();
    vi.advanceTimersByTime(500);
    newest().onopen?.();
    expect(sockets.map((socket) => socket.sent)).toEqual([["want"], ["want"]]);
    subject.stop();
  });

  it("asks for everything once when it opens, then hands notices on", () => {
    const subject = live();
    subject.start();
    newest().onopen?.();
    expect(subject.connection.value).toEqual({ status: "live", attempt: 0 });
    expect(onCatchUp).toHaveBeenCalledTimes(1);
    newest().say({ type: "hello", version: 1 });
    newest().say({ type: "revision", topic: "overview", revision: 17 });
    expect(onRevision).toHaveBeenCalledExactlyOnceWith("overview", 17);
  });

  it("survives what it does not understand", () => {
    const subject = live();
    subject.start();
    newest().onopen?.();
    for (const message of ["{", "null", "7", { type: "revision", topic: 3 }, { type: "new_word" }])
      newest().say(message);
    expect(onRevision).not.toHaveBeenCalled();
    expect(subject.connection.value.status).toBe("live");
    newest().say({ type: "lagged", lagged: 4 });
    expect(onCatchUp).toHaveBeenCalledTimes(2);
  });

  it("polls while the socket is away, and stops polling when it is back", () => {
    const subject = live();
    subject.start();
    newest().onopen?.();
    onCatchUp.mockReset();
    newest().onclose?.();
    expect(subject.connection.value).toEqual({ status: "reconnecting", attempt: 1 });
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    vi.advanceTimersByTime(4_600);
    expect(onCatchUp).toHaveBeenCalledTimes(1);
    newest().onopen?.();
    onCatchUp.mockReset();
    vi.advanceTimersByTime(15_000);
    expect(onCatchUp).not.toHaveBeenCalled();
  });

  it("counts its tries and waits longer each time", () => {
    const subject = live();
    subject.start();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      newest().onclose?.();
      expect(subject.connection.value.attempt).toBe(attempt);
      const before = sockets.length;
      let waited = 0;
      while (sockets.length === before) {
        vi.advanceTimersByTime(500);
        waited += 500;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    newest().onopen?.();
    expect(subject.connection.value).toEqual({ status: "live", attempt: 0 });
  });

  it("takes a silent socket and a hanging handshake for dead", () => {
    const subject = live();
    subject.start();
    const first = newest();
    vi.advanceTimersByTime(10_000);
    expect(first.closed).toBe(true);
    vi.advanceTimersByTime(500);
    newest().onopen?.();
    vi.advanceTimersByTime(19_000);
    newest().say({ type: "hello" });
    vi.advanceTimersByTime(19_000);
    expect(subject.connection.value.status).toBe("live");
    vi.advanceTimersByTime(1_000);
    expect(subject.connection.value.status).toBe("reconnecting");
  });

  it("does not wait out the backoff when hurried, and does nothing after a stop", () => {
    const subject = live();
    subject.start();
    newest().onclose?.();
    subject.hurry();
    expect(sockets).toHaveLength(2);
    subject.hurry();
    expect(sockets).toHaveLength(2);
    subject.stop();
    expect(newest().closed).toBe(true);
    vi.advanceTimersByTime(120_000);
    expect(sockets).toHaveLength(2);
  });
});

it("spreads its tries", () => {
  expect(backoffMs(1, 0)).toBe(250);
  expect(backoffMs(1, 1)).toBe(500);
  expect(backoffMs(100, 1)).toBe(30_000);
});

it("uses TLS where the page does", () => {
  expect(liveUrl({ protocol: "https:", host: "a.example" })).toBe("wss://a.example/api/v1/live");
  expect(liveUrl({ protocol: "http:", host: "127.0.0.1:7331" })).toBe("ws://127.0.0.1:7331/api/v1/live");
});
