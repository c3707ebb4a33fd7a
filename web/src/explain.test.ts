import { afterEach, describe, expect, it, vi } from "vitest";
import { command, formulas, loadFormulas, SOURCES } from "./explain";
import { DEFINITIONS } from "./words";

const PAGE = { data: { formulas: [{ id: "lag", formula: "b − a", meaning: "how late" }] }, meta: {} };

afterEach(() => {
  vi.unstubAllGlobals();
  formulas.value = new Map();
});

describe("explanations", () => {
  it("exist for every definition, with a command", () => {
    expect(Object.keys(SOURCES).sort()).toEqual(Object.keys(DEFINITIONS).sort());
    expect(command("rate", "http://x:1")).toBe(
      "curl -s 'http://x:1/api/v1/primary' | jq '.data.rate_ops_per_s'",
    );
  });

  it("are of the range that is looked at, or of the figure's own window", () => {
    expect(command("coverage", "")).toContain("coverage?window=6h");
    expect(command("lag", "")).toContain("lag?window=1h");
    expect(command("lag", "", "24h")).toContain("lag?window=24h");
  });

  it("fetch the formulas once, and again after a failure", async () => {
    const fetcher = vi.fn(async () => new Response("{}", { status: 503 }));
    vi.stubGlobal("fetch", fetcher);
    await loadFormulas();
    expect(formulas.value.size).toBe(0);
    fetcher.mockImplementation(async () => new Response(JSON.stringify(PAGE)));
    await Promise.all([loadFormulas(), loadFormulas()]);
    expect(formulas.value.get("lag")).toBe("b − a");
    await loadFormulas();
    expect(fetcher).toHaveBeenCalledTimes(2);
  });
});
