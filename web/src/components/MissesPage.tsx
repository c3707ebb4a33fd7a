import { useAnswer } from "../answer";
import * as format from "../format";
import { apiOf, isFolded, LIMIT_MAX, type MissFilters, pageOf, read } from "../miss-filters";
import { paths } from "../route";
import type { Mirror, OpsList } from "../shapes";
import { overview } from "../state";
import { findingWord } from "../words";
import { MissFilterBar } from "./MissFilterBar";
import { MissTable } from "./MissTable";
import { Stale, Unanswered } from "./Unanswered";

/** How often the list is asked for again, and how many rows more are shown at a time. */
const EVERY_MS = 5_000;
const STEP = 100;

/** Every miss, and every other operation that did not go well, with the filters in the address. */
export function MissesPage({ query }: { query: string }) {
  const filters = read(query);
  const { page, failure } = useAnswer<OpsList>(apiOf(filters), EVERY_MS);
  const mirrors = overview.state.value.page?.data.mirrors ?? [];
  return (
    <main data-page="misses">
      <div class="verdict">
        <h1 tabIndex={-1}>{filters.verdict === "missed" ? "Missed operations" : "Operations"}</h1>
      </div>
      {filters.verdict === "missed" ? <Totals mirrors={mirrors} filters={filters} /> : null}
      <section class="panel" aria-label="The list">
        <MissFilterBar filters={filters} />
        {filters.follows === "" ? null : <Following filters={filters} />}
        {filters.from === "" && filters.to === "" ? null : <Between filters={filters} />}
        <Stale failure={page === null ? null : failure} />
        {page === null ? (
          <Unanswered what="the list" failure={failure} />
        ) : (
          <List list={page.data} next={page.links?.next ?? null} filters={filters} />
        )}
      </section>
    </main>
  );
}

function List({ list, next, filters }: { list: OpsList; next: string | null; filters: MissFilters }) {
  const count = list.ops.length;
  const limit = Number(filters.limit);
  return (
    <>
      <p class="hint" role="status" data-count={count}>
        {count === 0 ? "No operation that is held here fits these filters." : `${format.count(count)} shown`}
        {next === null ? "" : ", and there are more"}
        {isFolded(filters) && count > 0 ? "; what follows from a miss stands folded under it" : ""}.{" "}
        {list.held_from_at
          ? `Operations are held since ${format.dateTime(list.held_from_at)} ${format.zoneWord()}. `
          : ""}
        {list.extra_truncated ? "There are more extras than are listed. " : ""}
        <a class="json" href={apiOf(filters)}>
          JSON
        </a>
      </p>
      {count === 0 ? null : <MissTable rows={list.ops} filters={filters} />}
      {next !== null && limit < LIMIT_MAX ? (
        <a class="more" href={pageOf({ ...filters, limit: String(Math.min(LIMIT_MAX, limit + STEP)) })}>
          Show more
        </a>
      ) : null}
      {next !== null && limit >= LIMIT_MAX ? (
        <p class="hint">
          The page shows {format.count(LIMIT_MAX)} at most; the API goes on:{" "}
          <a href={next}>next page as JSON</a>.
        </p>
      ) : null}
    </>
  );
}

/** The open misses of the mirrors in question, by what was found about them. */
function Totals({ mirrors, filters }: { mirrors: readonly Mirror[]; filters: MissFilters }) {
  const splits = mirrors
    .filter((mirror) => filters.mirror === "" || mirror.id === filters.mirror)
    .map((mirror) => mirror.misses)
    .filter((split) => split !== undefined);
  if (splits.length === 0) return null;
  const sum = (of: (split: (typeof splits)[number]) => number) =>
    splits.reduce((n, split) => n + of(split), 0);
  const [open, roots, followers] = [sum((s) => s.open), sum((s) => s.roots), sum((s) => s.followers)];
  const found = [...new Set(splits.flatMap((split) => Object.keys(split.by_confirmation)))].map((finding) => {
    const of = (split: (typeof splits)[number]) =>
      new Map(Object.entries(split.by_confirmation)).get(finding) ?? 0;
    return [finding, sum(of)] as const;
  });
  const link = (finding: string) =>
    pageOf({ ...read(""), mirror: filters.mirror, confirmation: finding, chain: "any" });
  return (
    <p class="summary" data-open={open} data-roots={roots} data-followers={followers}>
      <b>{format.count(open)}</b> missed now
      {filters.mirror === "" ? ` at ${format.count(splits.length)} mirrors` : ""}
      {followers > 0 ? (
        <>
          : <b>{format.count(roots)}</b> lost, <b>{format.count(followers)}</b> follow from those
        </>
      ) : null}
      {open === 0 ? "." : ". By explanation: "}
      {open === 0
        ? null
        : found
            .filter(([, n]) => n > 0)
            .map(([finding, n], index) => (
              <span key={finding}>
                {index === 0 ? "" : ", "}
                <a href={link(finding)}>
                  {findingWord(finding)}: {format.count(n)}
                </a>
              </span>
            ))}
      {splits.some((split) => split.truncated) ? " (of those that are listed)" : ""}
    </p>
  );
}

/** A time that was chosen on another page goes along: the list says so, and how to take it off. */
function Between({ filters: { from, to } }: { filters: MissFilters }) {
  const at = (text: string) => (Number.isNaN(Date.parse(text)) ? text : format.dateTime(text));
  return (
    <p class="hint">
      Only what the primary published {from === "" ? "" : `from ${at(from)} `}
      {to === "" ? "" : `until ${at(to)} `}
      {format.zoneWord()}. <a href="/misses?range=6h">All that is held</a>
    </p>
  );
}

function Following({ filters }: { filters: MissFilters }) {
  return (
    <p class="hint">
      Only what follows from <code title={filters.follows}>…{filters.follows.slice(-8)}</code>.{" "}
      <a href={paths.misses(filters.mirror === "" ? {} : { mirror: filters.mirror })}>All misses</a>
    </p>
  );
}
