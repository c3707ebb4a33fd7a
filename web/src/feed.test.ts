import { beforeEach, describe, expect, it } from "vitest";
import { ServerClock } from "./clock";
import { Feed } from "./feed";

const meta = {
  generated_at: "2026-11-21T14:00:00.000Z",
  snapshot_id: "s1",
  revision: 4,
  recompute_interval_s: 1,
};

interface Call {
  headers: Record<string, string>;
  answer: (response: Response) => void;
  fail: (error: Error) => void;
}

let calls: Call[];

function feed() {
  calls = [];
  return new Feed<{ n: number }>(
    "overview",
    (_url, init) =>
      new Promise((answer, fail) => {
        calls.push({ headers: init.headers as Record<string, string>, answer, fail });
      }),
    new ServerClock(),
  );
}

function page(n: number, revision: number): Response {
  return new Response(JSON.stringify({ data: { n }, meta: { ...meta, revision } }), {
    headers: { etag: `"s1.${revision}"` },
  });
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("a feed", () => {
  let subject: Feed<{ n: number }>;
  beforeEach(() => {
    subject = feed();
  });

  it("sends the ETag that it was given and keeps the page on 304", async () => {
    const first = subject.refresh();
    expect(calls[0]?.headers["if-none-match"]).toBeUndefined();
    calls[0]?.answer(page(1, 4));
    await first;
    const second = subject.refresh();
    expect(calls[1]?.headers["if-none-match"]).toBe('"s1.4"');
    calls[1]?.answer(new Response(null, { status: 304 }));
    await second;
    expect(subject.state.value.page?.data.n).toBe(1);
    expect(subject.state.value.error).toBeNull();
  });

  it("keeps the last page when a fetch fails", async () => {
    const first = subject.refresh();
    calls[0]?.answer(page(1, 4));
    await first;
    const second = subject.refresh();
    calls[1]?.fail(new Error("network"));
    await second;
    expect(subject.state.value).toMatchObject({ error: "network", page: { data: { n: 1 } } });
    const third = subject.refresh();
    calls[2]?.answer(new Response("", { status: 503 }));
    await third;
    expect(subject.state.value).toMatchObject({ error: "HTTP 503", page: { data: { n: 1 } } });
  });

  it("answers any number of requests during a fetch with one more fetch", async () => {
    const done = subject.refresh();
    for (let i = 0; i < 5; i += 1) void subject.refresh();
    calls[0]?.answer(page(1, 4));
    await settle();
    expect(calls).toHaveLength(2);
    calls[1]?.answer(page(2, 5));
    await done;
    expect(calls).toHaveLength(2);
    expect(subject.state.value.page?.data.n).toBe(2);
  });

  it("ignores a notice of the revision that it shows", () => {
    subject.seed({ data: { n: 9 }, meta });
    subject.notice(4);
    expect(calls).toHaveLength(0);
    subject.notice(5);
    expect(calls[0]?.headers["if-none-match"]).toBe('"s1.4"');
  });
});

it("the server clock takes the smallest difference, for Date is cut to seconds", () => {
  const clock = new ServerClock();
  expect(clock.at(5)).toBe(5);
  clock.observe(1_000_000, 1_010_900);
  clock.observe(1_001_000, 1_011_050);
  clock.observe(Number.NaN, 1);
  expect(clock.at(1_020_000)).toBe(1_020_000 - 10_050);
});
