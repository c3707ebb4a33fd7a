import { describe, expect, it } from "vitest";
import told from "../../tests/openapi.json";
import {
  address,
  codes,
  curl,
  type Endpoint,
  endpoints,
  isLive,
  members,
  type OpenApi,
  problems,
  words,
} from "./openapi";

const document = told as unknown as OpenApi;
const HOSTS = { primary: "p", mirror: "m" };
const ORIGIN = "http://a.example";

function find(path: string): Endpoint {
  const found = endpoints(document).find((endpoint) => endpoint.path === path);
  if (found === undefined) throw new Error(`${path} is not in the document`);
  return found;
}

describe("the document of the API", () => {
  it("has groups, and every address is in one of them", () => {
    const names = document.tags.map((tag) => tag.name);
    expect(endpoints(document).length).toBeGreaterThan(30);
    for (const { path, operation } of endpoints(document)) expect(names, path).toContain(operation.tags[0]);
  });

  it("gives commands that can be run", () => {
    const of = (path: string) => curl(document, find(path), HOSTS, ORIGIN);
    expect(of("/api/v1/analytics/lag")).toBe("curl -s 'http://a.example/api/v1/analytics/lag?window=1h'");
    expect(of("/api/v1/compare")).toBe("curl -s 'http://a.example/api/v1/compare?a=p&b=m&window=6h'");
    expect(of("/api/v1/stream")).toBe("curl -N 'http://a.example/api/v1/stream?topics=overview,events'");
    expect(of("/badge/{id}/{file}")).toBe("curl -s 'http://a.example/badge/m/state.svg'");
    expect(of("/api/v1/live")).toBeNull();
    expect(of("/api/v1/mirrors/{id}/reprobe")).toMatch(/-X POST/);
    for (const endpoint of endpoints(document))
      expect(address(document, endpoint, HOSTS), endpoint.path).not.toMatch(/[{}…]/);
  });

  it("leads only to what is there and ends", () => {
    expect(isLive(find("/api/v1/mirrors/{id}"))).toBe(true);
    expect(isLive(find("/api/v1/stream"))).toBe(false);
    expect(isLive(find("/api/v1/dids/{did}"))).toBe(false);
  });

  it("tells what answers hold, through every wrapping", () => {
    const schema =
      find("/api/v1/mirrors/{id}").operation.responses["200"]?.content?.["application/json"]?.schema;
    const [data] = members(document, schema ?? {});
    expect(data?.[0]).toBe("data");
    const names = members(document, data?.[1] ?? {}).map(([name]) => name);
    expect(names).toContain("headline");
    expect(names).toContain("windows");
    expect(words({ type: ["number", "null"] })).toBe("number, or null");
    expect(words({ type: "array", items: { $ref: "#/components/schemas/OpAtMirror" } })).toBe(
      "list of OpAtMirror",
    );
    expect(words({ oneOf: [{ $ref: "#/components/schemas/Instant" }, { type: "null" }] })).toBe(
      "Instant, or null",
    );
  });

  it("knows every code of a problem and where it comes from", () => {
    const all = problems(document);
    expect([...(all.get("bad_window")?.paths ?? [])]).toContain("/api/v1/analytics/lag");
    expect([...(all.get("page_expired")?.statuses ?? [])]).toEqual(["410"]);
    expect([...(all.get("internal")?.statuses ?? [])]).toEqual(["500"]);
    expect([...(all.get("method_not_allowed")?.statuses ?? [])]).toEqual(["405"]);
    expect(codes({ description: "" })).toEqual([]);
  });
});
