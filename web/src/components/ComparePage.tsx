import { useAnswer } from "../answer";
import * as format from "../format";
import { go, paths } from "../route";
import type { Compare, OnlyOp } from "../shapes";
import { overview } from "../state";
import { words } from "../words";
import { Choice } from "./Choice";
import { At, DidLink, mirrorName, OpLink } from "./Ids";
import { Stale, Unanswered } from "./Unanswered";
import { Value } from "./Value";

const EVERY_MS = 5_000;
export const WINDOWS = ["5m", "15m", "1h", "6h", "24h", "7d", "30d"] as const;

/** Which two hosts the address names, with what stands for those that it leaves out. */
export function asked(query: string, primary: string, mirrors: readonly string[]) {
  const given = new URLSearchParams(query);
  const a = given.get("a") ?? primary;
  const other = [primary, ...mirrors].find((id) => id !== a) ?? "";
  return {
    a,
    b: given.get("b") ?? mirrors.find((id) => id !== a) ?? other,
    window: given.get("window") ?? "6h",
  };
}

/** Two hosts side by side: what only the one has, what only the other has, and which of them is ahead. */
export function ComparePage({ query }: { query: string }) {
  const data = overview.state.value.page?.data ?? null;
  return (
    <main data-page="compare">
      <div class="verdict">
        <h1 tabIndex={-1}>Two hosts side by side</h1>
      </div>
      {data === null ? (
        <Unanswered what="the list of hosts" failure={null} />
      ) : (
        <Pair
          {...asked(
            query,
            data.primary.id,
            data.mirrors.map((mirror) => mirror.id),
          )}
        />
      )}
    </main>
  );
}

interface Pairing {
  a: string;
  b: string;
  window: string;
}

function Pair({ a, b, window }: Pairing) {
  const url = `/api/v1/compare?${new URLSearchParams({ a, b, window })}`;
  const { page, failure } = useAnswer<Compare>(url, EVERY_MS);
  return (
    <>
      <Chooser a={a} b={b} window={window} />
      <Stale failure={page === null ? null : failure} />
      {page === null ? (
        <Unanswered what="the comparison" failure={failure} />
      ) : (
        <Body page={page.data} window={window} url={url} />
      )}
    </>
  );
}

function Chooser({ a, b, window }: Pairing) {
  const data = overview.state.value.page?.data;
  const ids = data === undefined ? [] : [data.primary.id, ...data.mirrors.map((mirror) => mirror.id)];
  const hosts = ids.map((id) => [id, mirrorName(id)] as const);
  return (
    <fieldset class="filters">
      <legend class="visually-hidden">What is compared</legend>
      <Choice
        label="This host"
        name="a"
        value={a}
        choices={hosts}
        set={(v) => go(paths.compare(v, b, window))}
      />
      <Choice label="With" name="b" value={b} choices={hosts} set={(v) => go(paths.compare(a, v, window))} />
      <Choice
        label="In the last"
        name="window"
        value={window}
        choices={WINDOWS.map((name) => [name, name] as const)}
        set={(v) => go(paths.compare(a, b, v))}
      />
      <button type="button" class="button" onClick={() => go(paths.compare(b, a, window))}>
        Swap
      </button>
    </fieldset>
  );
}

function Body({ page, window, url }: { page: Compare; window: string; url: string }) {
  const [a, b] = [mirrorName(page.a), mirrorName(page.b)];
  return (
    <>
      <p
        class="summary"
        data-both={page.both_ops}
        data-only-a={page.only_a_ops}
        data-only-b={page.only_b_ops}
      >
        {verdict(page, a, b)}{" "}
        <a class="json" href={url}>
          JSON
        </a>
      </p>
      <section class="panel" aria-labelledby="sets-title">
        <div class="panel-head">
          <h2 id="sets-title">Operations of the last {window}</h2>
          {page.is_window_held || page.held_from_at === null ? null : (
            <span class="hint">
              only those since {format.dateTime(page.held_from_at)} {format.zoneWord()} are held
            </span>
          )}
        </div>
        <table class="list numbers sets">
          <thead>
            <tr>
              <td />
              <th scope="col">
                <bdi>{a}</bdi> has it
              </th>
              <th scope="col">
                <bdi>{b}</bdi> has it
              </th>
            </tr>
          </thead>
          <tbody>
            <Row hosts={[a, b]} name="Both have it" values={[page.both_ops, page.both_ops]} />
            <Row
              hosts={[a, b]}
              name="The other provably has it not"
              values={[page.only_a_ops, page.only_b_ops]}
            />
            <Row
              hosts={[a, b]}
              name="The other may still get it"
              values={[page.pending_ops.a, page.pending_ops.b]}
            />
            <Row
              hosts={[a, b]}
              name="Nobody can say whether the other has it"
              values={[page.unknown_ops.a, page.unknown_ops.b]}
            />
          </tbody>
        </table>
      </section>
      <Lead page={page} a={a} b={b} />
      <Only name={a} other={b} ops={page.only_a} total={page.only_a_ops} />
      <Only name={b} other={a} ops={page.only_b} total={page.only_b_ops} />
    </>
  );
}

interface RowProps {
  hosts: readonly [string, string];
  name: string;
  values: readonly [number, number];
}

function Row({ hosts, name, values }: RowProps) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td data-label={`${hosts[0]} has it`}>{format.count(values[0])}</td>
      <td data-label={`${hosts[1]} has it`}>{format.count(values[1])}</td>
    </tr>
  );
}

/** One sentence: whether one of the two has what the other has not. */
export function verdict(page: Compare, a: string, b: string): string {
  const decided = page.both_ops + page.only_a_ops + page.only_b_ops;
  if (decided === 0) return "Nothing can be said yet: no operation is known of both.";
  if (page.only_a_ops === 0 && page.only_b_ops === 0)
    return `No difference is known: both have the same ${format.count(page.both_ops)} operations.`;
  const of = (n: number, has: string, not: string) =>
    n === 0
      ? null
      : `${has} has ${format.count(n)} ${n === 1 ? "operation" : "operations"} that ${not} has not`;
  return `${[of(page.only_a_ops, a, b), of(page.only_b_ops, b, a)].filter((part) => part !== null).join("; ")}.`;
}

function Lead({ page: { lead }, a, b }: { page: Compare; a: string; b: string }) {
  return (
    <section class="panel" aria-labelledby="lead-title">
      <div class="panel-head">
        <h2 id="lead-title">Which is ahead</h2>
        <a href="/methodology#lead">how this is measured</a>
      </div>
      {lead.n === 0 || lead.median_ms === null ? (
        <p class="hint">No operation came live from both yet.</p>
      ) : (
        <p>
          {ahead(lead.corrected_median_ms ?? lead.median_ms, lead.uncertainty_ms, a, b)} Of{" "}
          {format.count(lead.n)} operations that both brought live, half lie between{" "}
          {format.signed(lead.p25_ms ?? 0)} and {format.signed(lead.p75_ms ?? 0)} as measured; the median is{" "}
          <Value of={lead} name="corrected_median_ms" figure="lead">
            {format.signed(lead.corrected_median_ms ?? 0)}
          </Value>{" "}
          less half the difference of the round trips
          {lead.uncertainty_ms === null ? "" : `, ± ${format.duration(lead.uncertainty_ms)}`}.
        </p>
      )}
    </section>
  );
}

/** Who is ahead, where the difference is more than the measuring leaves open. */
export function ahead(medianMs: number, uncertaintyMs: number | null, a: string, b: string): string {
  if (Math.abs(medianMs) <= (uncertaintyMs ?? 0))
    return `${a} and ${b} are level, as far as can be measured.`;
  const [first, second] = medianMs > 0 ? [a, b] : [b, a];
  return `${first} is ahead of ${second} by ${format.duration(Math.abs(medianMs))} as a rule.`;
}

function Only({
  name,
  other,
  ops,
  total,
}: {
  name: string;
  other: string;
  ops: readonly OnlyOp[];
  total: number;
}) {
  if (total === 0) return null;
  return (
    <section class="panel" aria-label={`Only at ${name}`}>
      <div class="panel-head">
        <h2>
          Only <bdi>{name}</bdi> has
        </h2>
        <span class="hint">
          {ops.length < total ? `the newest ${format.count(ops.length)} of ` : ""}
          {format.count(total)}; <bdi>{other}</bdi> was looked at all the while
        </span>
      </div>
      <div class="scroller">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              <th scope="col">DID</th>
              <th scope="col">Kind</th>
              <th scope="col">Arrived, {format.zoneWord()}</th>
            </tr>
          </thead>
          <tbody>
            {ops.map((op) => (
              <tr key={op.cid} data-op={op.cid}>
                <th scope="row" data-label="Operation">
                  <OpLink did={op.did} cid={op.cid} />
                </th>
                <td data-label="DID">
                  <DidLink did={op.did} />
                </td>
                <td data-label="Kind">{words(op.kind)}</td>
                <td data-label="Arrived">
                  <At at={op.at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
