import { useAnswer } from "../answer";
import * as format from "../format";
import type { Internals, Recomputer } from "../shapes";
import { words } from "../words";
import { Stale, Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";

const URL_OF = "/api/v1/internals";
const EVERY_MS = 5_000;
/** Groups that have a table of their own. */
const TABLES = new Set(["recomputers", "queues", "degraded", "restarts"]);

/** What the observer does itself: what is computed how often, what is bounded by what, what failed. */
export function InternalsPage() {
  const { page, failure } = useAnswer<Internals>(URL_OF, EVERY_MS);
  return (
    <main data-page="internals">
      <ViewHead title="The observer itself" json={URL_OF} />
      <p class="hint">
        What observers that share a log tell of themselves: <a href="/nodes">events of nodes</a>.
      </p>
      <Stale failure={page === null ? null : failure} />
      {page === null ? <Unanswered what="the internals" failure={failure} /> : <Body page={page.data} />}
    </main>
  );
}

function Body({ page }: { page: Internals }) {
  const groups = Object.entries(page).filter(([name]) => !TABLES.has(name));
  return (
    <>
      <Troubles page={page} />
      <Recomputers rows={page.recomputers} />
      <div class="groups">
        {groups.map(([name, group]) => (
          <Group key={name} name={name} group={group} />
        ))}
        <Group
          name="queues"
          group={Object.fromEntries(
            page.queues.map((q) => [
              q.name,
              { ...(q.length === undefined ? {} : { length: q.length }), limit: q.limit },
            ]),
          )}
        />
      </div>
    </>
  );
}

/** What is wrong now, and what was begun anew; said also where there is nothing of it. */
function Troubles({ page: { degraded, restarts } }: { page: Internals }) {
  const again = Object.entries(restarts).filter(([, n]) => n > 0);
  return (
    <p class={degraded.length > 0 ? "banner amber" : "banner"} data-degraded={degraded.length}>
      <span aria-hidden="true">{degraded.length > 0 ? "▲" : "●"} </span>
      {degraded.length > 0 ? degraded.map(format.visible).join("; ") : "Everything that was measured is kept"}
      .{" "}
      {again.length === 0
        ? "No part had to be begun anew."
        : `Begun anew after a failure: ${again.map(([part, n]) => `${format.visible(part)} ${format.count(n)} ×`).join(", ")}.`}
    </p>
  );
}

function Recomputers({ rows }: { rows: readonly Recomputer[] }) {
  return (
    <section class="panel" aria-labelledby="recomputers-title">
      <div class="panel-head">
        <h2 id="recomputers-title">What is computed in the background</h2>
        <span class="hint">requests read the finished bytes</span>
      </div>
      <div class="scroller">
        <table class="list numbers">
          <thead>
            <tr>
              <th scope="col">Pages</th>
              <th scope="col">Every</th>
              <th scope="col">Age</th>
              <th scope="col">Took</th>
              <th scope="col">Runs</th>
              <th scope="col">Failures</th>
              <th scope="col">Bytes</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} data-recomputer={row.name}>
                <th scope="row" data-label="Pages">
                  {format.visible(words(row.name))}
                </th>
                <td data-label="Every">{format.duration(row.interval_s * 1000)}</td>
                <td data-label="Age">{format.duration(row.age_ms)}</td>
                <td data-label="Took">{format.duration(row.last_compute_ms)}</td>
                <td data-label="Runs">{format.count(row.runs)}</td>
                <td data-label="Failures" class={row.failures > 0 ? "tone-missed" : undefined}>
                  {format.count(row.failures)}
                  {row.last_error === null ? null : <span class="sub">{format.visible(row.last_error)}</span>}
                </td>
                <td data-label="Bytes">{format.count(row.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** A group of numbers, named as the API names them: whoever looks here compares with it. */
function Group({ name, group }: { name: string; group: unknown }) {
  const facts = flat(group);
  if (facts.length === 0) return null;
  return (
    <section class="panel" aria-label={words(name)}>
      <div class="panel-head">
        <h2>{format.visible(words(name))}</h2>
      </div>
      <dl class="facts">
        {facts.map(([key, value]) => (
          <Fact key={key} name={key} value={value} />
        ))}
      </dl>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{format.visible(words(name))}</dt>
      <dd data-internal={name}>
        {typeof value === "number" ? format.exact(value) : format.visible(String(value))}
      </dd>
    </>
  );
}

/** The leaves of a value by their paths; lists of words in one line. */
export function flat(value: unknown, path = ""): [string, unknown][] {
  if (value === null || value === undefined) return path === "" ? [] : [[path, format.DASH]];
  if (Array.isArray(value)) {
    if (value.length === 0) return [];
    if (value.every((item) => typeof item !== "object")) return [[path, value.join(", ")]];
    return value.flatMap((item, index) => flat(item, `${path} ${index + 1}`.trim()));
  }
  if (typeof value === "object") {
    return Object.entries(value).flatMap(([key, item]) => flat(item, `${path} ${key}`.trim()));
  }
  return [[path, value]];
}
