import { useState } from "preact/hooks";
import { useAnswer } from "../answer";
import * as format from "../format";
import { apiOf, type MissFilters, read } from "../miss-filters";
import { paths } from "../route";
import type { OpRow, OpsList } from "../shapes";
import { findingText, findingWord, outcome, reasonText, words } from "../words";
import { At, DidLink, MirrorLink, OpLink } from "./Ids";
import { Shape } from "./Shape";
import { Unanswered } from "./Unanswered";

const COLUMNS = ["Came", "Mirror", "DID", "Operation", "Kind", "Outcome", "Explanation"] as const;

/** A list of operations, one a row. Becomes cards where narrow. */
export function MissTable({ rows, filters }: { rows: readonly OpRow[]; filters: MissFilters }) {
  return (
    <div class="scroller">
      <table class="list" data-list>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <th key={column} scope="col">
                {column}
                {column === "Came" ? <span class="unit"> {format.zoneWord()}</span> : null}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <MissRow key={`${row.mirror} ${row.did} ${row.cid}`} row={row} filters={filters} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function MissRow({ row, filters }: { row: OpRow; filters: MissFilters }) {
  const came = row.primary_at ?? row.mirror_at;
  return (
    <tr data-op={row.cid} data-mirror={row.mirror} data-verdict={row.verdict}>
      <td data-label="Came">
        {came === null ? format.DASH : <At at={came} />}
        {came === null ? null : <span class="sub">{came.slice(0, 10)}</span>}
      </td>
      <td data-label="Mirror">
        <MirrorLink id={row.mirror} />
      </td>
      <td data-label="DID">
        <DidLink did={row.did} />
      </td>
      <td data-label="Operation">
        <OpLink did={row.did} cid={row.cid} />
      </td>
      <td data-label="Kind">{words(row.kind)}</td>
      <td data-label="Outcome">
        <Shape state={outcome(row.verdict)} />
        <Aside row={row} />
      </td>
      <td data-label="Explanation">
        <Explanation row={row} />
        <Followers row={row} filters={filters} />
      </td>
    </tr>
  );
}

/** What stands beside the verdict: how late, why unknown, healed. */
function Aside({ row }: { row: OpRow }) {
  const parts: string[] = [];
  if (row.raw_lag_ms !== null && row.raw_lag_ms !== undefined)
    parts.push(`${format.duration(row.raw_lag_ms)} after the primary`);
  if (row.unknown_reason) parts.push(reasonText(row.unknown_reason));
  if (row.delivery === "filled") parts.push("came in a fill");
  if (row.is_healed) parts.push("was missed first");
  if (row.is_credited) parts.push("credited");
  return parts.length === 0 ? null : <span class="sub">{parts.join(" · ")}</span>;
}

function Explanation({ row }: { row: OpRow }) {
  const isExplained = row.verdict === "missed" || row.verdict.startsWith("extra") || row.confirmation;
  if (!isExplained) return null;
  return (
    <span title={findingText(row.confirmation)} class={row.confirmation ? undefined : "null"}>
      {findingWord(row.confirmation)}
    </span>
  );
}

/** A chain under its root: how many misses follow from it, and which, when somebody wants to know. */
function Followers({ row, filters }: { row: OpRow; filters: MissFilters }) {
  const [isOpen, open] = useState(false);
  if (row.follows) {
    return (
      <span class="sub">
        follows <OpLink did={row.did} cid={row.follows} />
      </span>
    );
  }
  const count = row.followers ?? 0;
  if (count === 0 || filters.follows !== "") return null;
  return (
    <details class="chain" onToggle={(event) => open(event.currentTarget.open)}>
      <summary>
        <b>{format.count(count)}</b> follow
      </summary>
      {isOpen ? <Chain row={row} /> : null}
    </details>
  );
}

function Chain({ row }: { row: OpRow }) {
  const filters = read(`mirror=${encodeURIComponent(row.mirror)}&follows=${row.cid}`);
  const { page, failure } = useAnswer<OpsList>(apiOf(filters), 30_000);
  if (page === null) return <Unanswered what="what follows" failure={failure} />;
  return (
    <>
      <ul class="followers">
        {page.data.ops.map((op) => (
          <li key={op.cid}>
            <OpLink did={op.did} cid={op.cid} /> {words(op.kind)}
          </li>
        ))}
      </ul>
      <a href={paths.misses({ mirror: row.mirror, follows: row.cid })}>as a list</a>
    </>
  );
}
