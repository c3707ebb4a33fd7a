import { expect, it } from "vitest";
import { tableOf } from "./table-of";

it("is the same address ending in .csv, with the same query", () => {
  expect(tableOf("/api/v1/analytics/history?window=24h")).toBe("/api/v1/analytics/history.csv?window=24h");
  expect(tableOf("/api/v1/mirrors/a.b/rtt")).toBe("/api/v1/mirrors/a.b/rtt.csv");
});
