/** What explains a figure: its formula in the methodology, and the address that gives the same number. */
import { type Signal, signal } from "@preact/signals";
import { ask } from "./answer";
import type { Methodology } from "./shapes";
import { asked, lagAsked, spreadWindow } from "./view";
import type { DEFINITIONS } from "./words";

export type About = keyof typeof DEFINITIONS;

interface Source {
  /** Id in the methodology. */
  formula: string;
  /** Path below the server's origin that gives the number. */
  api: string;
  /** Where it stands there, as jq finds it. */
  at: string;
}

export const SOURCES: Record<About, Source> = {
  coverage: {
    formula: "coverage",
    api: "/api/v1/analytics/coverage?window=6h",
    at: ".data.mirrors[] | {id, coverage}",
  },
  missed: {
    formula: "missed",
    api: "/api/v1/analytics/coverage?window=6h",
    at: ".data.mirrors[] | {id, missed: .coverage.counts.missed}",
  },
  lag: { formula: "lag", api: "/api/v1/analytics/lag?window=1h", at: ".data.mirrors[] | {id, lag}" },
  rate: { formula: "rate", api: "/api/v1/primary", at: ".data.rate_ops_per_s" },
  late: {
    formula: "late",
    api: "/api/v1/analytics/coverage?window=6h",
    at: ".data.mirrors[] | {id, late: .coverage.counts.late}",
  },
  extra: {
    formula: "extra",
    api: "/api/v1/analytics/coverage?window=6h",
    at: ".data.mirrors[] | {id, extra: .coverage.counts.extra}",
  },
  head: { formula: "freshness", api: "/api/v1/overview", at: ".data.mirrors[] | {id, freshness}" },
  rtt: { formula: "rtt", api: "/api/v1/analytics/rtt", at: ".data" },
  connected: {
    formula: "connected",
    api: "/api/v1/overview",
    at: ".data.mirrors[] | {id, connected: .link.connected_ratio}",
  },
  incident: {
    formula: "incident",
    api: "/api/v1/incidents",
    at: ".data.incidents[] | {mirror, phase, started_at, ended_at, worst_state}",
  },
  propagation: { formula: "propagation", api: "/api/v1/propagation?window=6h", at: ".data.by_mirrors" },
  divergence: {
    formula: "divergence",
    api: "/api/v1/analytics/divergence",
    at: ".data.mirrors[] | {id, missing_ops, extra_ops}",
  },
  budget: { formula: "error_budget", api: "/api/v1/slo", at: ".data.mirrors[] | {id, objectives}" },
  matrix: {
    formula: "coverage",
    api: "/api/v1/analytics/history?window=6h",
    at: ".data.mirrors[] | {id, coverage_ratio}",
  },
};

/** The formulas by id; empty until somebody opens an explanation, and while they cannot be had. */
export const formulas: Signal<ReadonlyMap<string, string>> = signal(new Map());

let asking: Promise<void> | null = null;

/** Fetches the formulas once; the next call tries again where it failed. Never rejects. */
export function loadFormulas(): Promise<void> {
  if (formulas.value.size > 0) return Promise.resolve();
  asking ??= ask<Methodology>("/api/v1/methodology", new AbortController().signal)
    .then(({ page }) => {
      formulas.value = new Map(page?.data.formulas.map(({ id, formula }) => [id, formula]));
    })
    .finally(() => {
      asking = null;
    });
  return asking;
}

/** What a figure is asked for that has no window of its own. */
function askedOf(about: About): string {
  if (about === "lag") return lagAsked.value;
  return about === "propagation" ? `window=${spreadWindow.value}` : asked.value;
}

/** The command that gives the same number: of `window`, or of the range that is looked at. */
export function command(about: About, origin: string, window?: string): string {
  const { api, at } = SOURCES[about];
  const query = window === undefined ? askedOf(about) : `window=${window}`;
  return `curl -s '${origin}${api.replace(/window=\w+/, query)}' | jq '${at}'`;
}
