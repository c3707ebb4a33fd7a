import { afterEach, describe, expect, it } from "vitest";
import { ageMs, initialOverview, isStale } from "./state";

const meta = {
  generated_at: "2026-11-21T14:00:00.000Z",
  snapshot_id: "s",
  revision: 1,
  recompute_interval_s: 2,
};
const at = Date.parse(meta.generated_at);

afterEach(() => {
  document.body.replaceChildren();
});

function inline(text: string) {
  const script = document.createElement("script");
  script.type = "application/json";
  script.id = "initial-overview";
  script.textContent = text;
  document.body.append(script);
}

describe("the page in the document", () => {
  it("is taken when it is whole", () => {
    inline(JSON.stringify({ data: { headline: "x" }, meta }));
    expect(initialOverview(document)?.data.headline).toBe("x");
  });
  it.each(["", "{", "null", "{}"])("is left alone when it is %j", (text) => {
    inline(text);
    expect(initialOverview(document)).toBeNull();
  });
  it("may be missing", () => {
    expect(initialOverview(document)).toBeNull();
  });
});

describe("age", () => {
  it("is stale only beyond three intervals and ten seconds", () => {
    expect(isStale(meta, at + 10_000)).toBe(false);
    expect(isStale(meta, at + 10_001)).toBe(true);
    const slow = { ...meta, recompute_interval_s: 30 };
    expect(isStale(slow, at + 90_000)).toBe(false);
    expect(isStale(slow, at + 90_001)).toBe(true);
  });
  it("is never negative", () => {
    expect(ageMs(meta, at - 500)).toBe(0);
  });
});
