/** The log of a DID as rows: what came over the streams and what hosts' own logs list, joined by CID. */
import type { DidPage, OpRow, Survey } from "./shapes";

/** What a host's own log says of an operation. */
export type Listed = "listed" | "nullified" | "absent";

export interface DidCell {
  /** Where it stands by the stream; null where nothing is held of it. */
  stream: OpRow | null;
  /** The primary's arrival, in its own column. */
  publishedAt: string | null;
  /** Null where the host gave no log that reaches so far back. */
  log: Listed | null;
}

export interface DidRow {
  cid: string;
  kind: string;
  createdAt: string;
  cells: Map<string, DidCell>;
  /** True where one host says other than another. */
  differs: boolean;
}

/** What was made so shortly before the hosts were asked may not have been everywhere yet. */
const SETTLE_MS = 120_000;

type LogOf = (cid: string, createdAt: string) => Listed | null;

function logs(survey: Survey | null): Map<string, LogOf> {
  const byHost = new Map<string, LogOf>();
  // What was made later, nobody was asked about.
  const until = Date.parse(survey?.at ?? "") - SETTLE_MS;
  for (const host of survey?.hosts ?? []) {
    if (host.standing !== "log") continue;
    const entries = new Map(host.entries.map((entry) => [entry.cid, entry]));
    const isCut = host.total_entries > host.entries.length;
    const since = isCut ? (host.entries[0]?.created_at ?? "") : "";
    byHost.set(host.id, (cid, createdAt) => {
      const entry = entries.get(cid);
      if (entry !== undefined) return entry.is_nullified ? "nullified" : "listed";
      return createdAt < since || Date.parse(createdAt) > until ? null : "absent";
    });
  }
  return byHost;
}

interface Known {
  kind: string;
  createdAt: string;
}

/** Every operation that is known of, oldest first. */
function known(page: DidPage): Map<string, Known> {
  const ops = new Map<string, Known>();
  const add = (cid: string, kind: string, createdAt: string) => {
    if (!ops.has(cid)) ops.set(cid, { kind, createdAt });
  };
  for (const op of page.ops) add(op.cid, op.kind, op.created_at);
  for (const extra of page.extras) add(extra.cid, extra.kind, extra.created_at);
  for (const host of page.survey?.hosts ?? [])
    for (const entry of host.entries) add(entry.cid, entry.kind, entry.created_at);
  return ops;
}

export function rows(page: DidPage): DidRow[] {
  const published = new Map(page.ops.map((op) => [op.cid, op]));
  const byHost = logs(page.survey);
  const all = [...known(page)].map(([cid, { kind, createdAt }]) => {
    const op = published.get(cid);
    const cells = new Map<string, DidCell>();
    for (const host of page.hosts) {
      const extra = page.extras.find((row) => row.cid === cid && row.mirror === host.id);
      const atMirror = new Map(Object.entries(op?.mirrors ?? {})).get(host.id);
      cells.set(host.id, {
        stream: host.role === "primary" ? null : (atMirror ?? extra ?? null),
        publishedAt: host.role === "primary" ? (op?.primary_at ?? null) : null,
        log: byHost.get(host.id)?.(cid, createdAt) ?? null,
      });
    }
    return { cid, kind, createdAt, cells, differs: differs(cells) };
  });
  return all.sort((a, b) => order(a.createdAt, b.createdAt) || order(a.cid, b.cid));
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const LACKING = new Set(["missed", "extra", "disputed"]);

function differs(cells: Map<string, DidCell>): boolean {
  const said = new Set([...cells.values()].map((cell) => cell.log).filter((log) => log !== null));
  return said.size > 1 || [...cells.values()].some((cell) => LACKING.has(cell.stream?.verdict ?? ""));
}
