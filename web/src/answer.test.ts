import { afterEach, describe, expect, it, vi } from "vitest";
import { ask, isFinal } from "./answer";

function answering(status: number, body: string): void {
  vi.stubGlobal("fetch", async () => new Response(body, { status }));
}

afterEach(() => vi.unstubAllGlobals());

const signal = new AbortController().signal;

describe("an answer", () => {
  it("is the page", async () => {
    answering(200, '{"data":{"n":1},"meta":{}}');
    expect(await ask("/x", signal)).toEqual({ page: { data: { n: 1 }, meta: {} }, failure: null });
  });

  it("or why there is none, in the server's words", async () => {
    answering(404, '{"code":"no_such_did","detail":"no operation of this DID was seen"}');
    const { failure } = await ask("/x", signal);
    expect(failure).toEqual({
      status: 404,
      code: "no_such_did",
      detail: "no operation of this DID was seen",
    });
    expect(failure !== null && isFinal(failure)).toBe(true);
    answering(502, "<html>");
    expect((await ask("/x", signal)).failure).toEqual({ status: 502, code: "http", detail: "HTTP 502" });
  });

  it("may be late", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new Error("refused");
    });
    const { failure } = await ask("/x", signal);
    expect(failure).toEqual({ status: null, code: "network", detail: "refused" });
    expect(failure !== null && isFinal(failure)).toBe(false);
    expect(isFinal({ status: 429, code: "rate_limited", detail: "" })).toBe(false);
  });
});
