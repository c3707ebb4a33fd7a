import { describe, expect, it } from "vitest";
import { apiOf, isFolded, pageOf, read } from "./miss-filters";

describe("the filters of the list", () => {
  it("are misses folded under their roots unless asked otherwise", () => {
    const filters = read("");
    expect(pageOf(filters)).toBe("/misses");
    expect(isFolded(filters)).toBe(true);
    expect(apiOf(filters)).toBe("/api/v1/ops?verdict=missed&chain=root&limit=100");
  });

  it("lead through the address and back", () => {
    for (const query of [
      "mirror=m1&kind=update",
      "verdict=extra&confirmation=nullified",
      "chain=any",
      "chain=follower",
      "verdict=any&from=2026-11-21T02%3A00%3A00Z",
      "follows=bafyx",
      "limit=300",
    ]) {
      expect(pageOf(read(query))).toBe(`/misses?${query}`);
      expect(read(pageOf(read(query)).split("?")[1] ?? "")).toEqual(read(query));
    }
  });

  it("ask the API for no chain where there is none", () => {
    expect(apiOf(read("verdict=extra"))).toBe("/api/v1/ops?verdict=extra&limit=100");
    expect(apiOf(read("verdict=any"))).toBe("/api/v1/ops?limit=100");
    expect(apiOf(read("chain=any"))).toBe("/api/v1/ops?verdict=missed&limit=100");
    expect(apiOf(read("follows=bafyx"))).toBe("/api/v1/ops?verdict=missed&follows=bafyx&limit=100");
  });

  it("hold to the API's limit", () => {
    for (const limit of ["0", "1001", "x", "1e9"]) expect(read(`limit=${limit}`).limit).toBe("100");
  });
});
