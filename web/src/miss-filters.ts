/** What the list of operations looks for: read from the page's address and written to it, and into the API's. */

/** Every filter as text; empty where it lets everything through. */
export interface MissFilters {
  mirror: string;
  /** `any` for whatever is not on time. */
  verdict: string;
  confirmation: string;
  kind: string;
  did: string;
  /** `root`, `follower`, or `any` for both. */
  chain: string;
  follows: string;
  from: string;
  to: string;
  limit: string;
}

const NAMES = [
  "mirror",
  "verdict",
  "confirmation",
  "kind",
  "did",
  "chain",
  "follows",
  "from",
  "to",
  "limit",
] as const;
const NONE: MissFilters = {
  mirror: "",
  verdict: "missed",
  confirmation: "",
  kind: "",
  did: "",
  chain: "root",
  follows: "",
  from: "",
  to: "",
  limit: "100",
};
const DEFAULTS = new Map<string, string>(Object.entries(NONE));

export const LIMIT_MAX = 1000;

export function read(query: string): MissFilters {
  const given = new URLSearchParams(query);
  const filters = { ...NONE };
  for (const name of NAMES) filters[name] = given.get(name) ?? filters[name];
  // The API's own words for the rest of a chain say all that there is to say.
  if (given.get("follows")) filters.chain = "any";
  const limit = Number(filters.limit);
  filters.limit = Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX ? String(limit) : NONE.limit;
  return filters;
}

/** The address of the page that shows this. */
export function pageOf(filters: MissFilters): string {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const isImplied = name === "chain" && filters.follows !== "";
    if (filters[name] !== DEFAULTS.get(name) && filters[name] !== "" && !isImplied)
      query.set(name, filters[name]);
  }
  const text = query.toString();
  return text === "" ? "/misses" : `/misses?${text}`;
}

/** Only misses come in chains. */
export function isFolded(filters: MissFilters): boolean {
  return filters.chain === "root" && filters.verdict === "missed" && filters.follows === "";
}

/** The address of the API that answers it. */
export function apiOf(filters: MissFilters): string {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const value = filters[name];
    if (value === "" || value === "any") continue;
    if (name === "chain" && (filters.verdict !== "missed" || filters.follows !== "")) continue;
    query.set(name, value);
  }
  return `/api/v1/ops?${query}`;
}
