import { useState } from "preact/hooks";
import { type Failure, failureOf, useAnswer } from "../answer";
import { type DidCell, type DidRow, rows } from "../did-rows";
import * as format from "../format";
import { paths } from "../route";
import type { DidHost, DidPage as Page, Survey } from "../shapes";
import { agreement, findingWord, outcome, standing, words } from "../words";
import { Findings } from "./Findings";
import { At, MirrorLink, OpLink } from "./Ids";
import { Shape } from "./Shape";
import { Stale, Unanswered } from "./Unanswered";

const EVERY_MS = 5_000;

/** One DID: every host's log beside every other's. */
export function DidPage({ did }: { did: string }) {
  const [again, askAgain] = useState(0);
  const url = `/api/v1/dids/${did}`;
  const { page, failure } = useAnswer<Page>(url, EVERY_MS, again);
  return (
    <main data-page="did">
      <div class="verdict">
        <h1 tabIndex={-1} class="long">
          {did}
        </h1>
        <p class="chips">
          <a href={paths.misses({ did, verdict: "any" })}>its operations that did not go well</a>
          <a class="json" href={url}>
            JSON
          </a>
        </p>
      </div>
      <Stale failure={page === null ? null : failure} />
      {page === null ? (
        <>
          <Unanswered what="this DID" failure={failure} />
          {failure?.code === "no_such_did" ? (
            <p class="hint">
              This says nothing of the directory: only operations since this observer began, and DIDs that
              hosts were asked about, are known here.
            </p>
          ) : null}
        </>
      ) : (
        <>
          <Agreement survey={page.data.survey} />
          {page.data.is_recheck_allowed ? <Recheck did={did} done={() => askAgain((n) => n + 1)} /> : null}
          <Logs page={page.data} />
          <Findings findings={page.data.findings ?? []} />
          <Probes hosts={page.data.hosts} />
        </>
      )}
    </main>
  );
}

/** Whether all hosts have the same log, as far as they were asked. */
function Agreement({ survey }: { survey: Survey | null }) {
  if (survey === null) {
    return (
      <p class="banner" data-identical="null">
        <span aria-hidden="true">○ </span>No host was asked for its whole log of this DID yet; what is shown
        came over the streams.
      </p>
    );
  }
  const when = `${format.dateTime(survey.at)} ${format.zoneWord()}, ${survey.asked_as === "sample" ? "as a sample" : "on request"}`;
  if (survey.is_identical === null) {
    return (
      <p class="banner amber" data-identical="null">
        <span aria-hidden="true">▲ </span>The logs could not be compared ({when}):{" "}
        {survey.has_measure ? "no mirror gave a log" : "the primary gave no log to compare with"}.
      </p>
    );
  }
  return survey.is_identical ? (
    <p class="banner" data-identical="true">
      <Shape state={agreement("same")} wordless /> Every host that answered gave the same log ({when}).
    </p>
  ) : (
    <p class="banner amber" data-identical="false">
      <Shape state={agreement("fork")} wordless /> The logs are not the same ({when}).
    </p>
  );
}

/** Has every host asked now. Nothing is said to be done before the server took it on. */
function Recheck({ did, done }: { did: string; done: () => void }) {
  const [said, say] = useState<string | null>(null);
  const ask = async () => {
    say("Asking…");
    const response = await fetch(`/api/v1/dids/${did}/recheck`, {
      method: "POST",
      credentials: "omit",
    }).catch((error: unknown): Failure => ({ status: null, code: "network", detail: String(error) }));
    if (!(response instanceof Response)) say(`Not asked: ${response.detail}.`);
    else if (response.status !== 202) say(`Not asked: ${(await failureOf(response)).detail}.`);
    else {
      say("Every host is being asked; the answers appear here within some seconds.");
      setTimeout(done, 3_000);
    }
  };
  return (
    <p class="recheck">
      <button type="button" class="button" onClick={() => void ask()}>
        Ask every host now
      </button>{" "}
      <span role="status">{said === null ? null : format.visible(said)}</span>
    </p>
  );
}

function Logs({ page }: { page: Page }) {
  const all = rows(page);
  return (
    <section class="panel" aria-labelledby="logs-title">
      <div class="panel-head">
        <h2 id="logs-title">Its log at every host</h2>
        <span class="hint">
          {format.count(all.length)} operations, oldest first
          {page.truncated ? `; of ${format.count(page.total_ops)} the newest` : ""}
        </span>
      </div>
      <div class="scroller">
        <table class="list side-by-side">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              {page.hosts.map((host) => (
                <th key={host.id} scope="col">
                  {host.role === "primary" ? (
                    <bdi>{format.visible(host.name)}</bdi>
                  ) : (
                    <MirrorLink id={host.id} />
                  )}
                  <Said host={host} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {all.map((row) => (
              <LogRow key={row.cid} did={page.did} row={row} hosts={page.hosts} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** What a host said of its whole log. */
function Said({ host }: { host: DidHost }) {
  if (host.role === "primary") return <span class="sub">primary</span>;
  if (host.agreement !== null) {
    return (
      <span class="sub" data-agreement={host.agreement}>
        <Shape state={agreement(host.agreement)} />
      </span>
    );
  }
  return <span class="sub">{host.standing === null ? "not asked yet" : standing(host.standing)}</span>;
}

function LogRow({ did, row, hosts }: { did: string; row: DidRow; hosts: readonly DidHost[] }) {
  return (
    <tr class={row.differs ? "differs" : undefined} data-op={row.cid}>
      <th scope="row" data-label="Operation">
        <OpLink did={did} cid={row.cid} /> <span class="tag">{words(row.kind)}</span>
        <span class="sub">
          {row.createdAt.slice(0, 10)} <At at={row.createdAt} />
        </span>
      </th>
      {hosts.map((host) => {
        const cell = row.cells.get(host.id);
        return (
          <td
            key={host.id}
            data-label={format.visible(host.name)}
            data-host={host.id}
            data-verdict={cell?.stream?.verdict}
          >
            {cell === undefined ? format.DASH : <Cell cell={cell} />}
          </td>
        );
      })}
    </tr>
  );
}

const LOG_WORDS = {
  listed: "● in its log",
  nullified: "⊘ nullified in its log",
  absent: "✕ not in its log",
} as const;
const LOG_TONES = { listed: "tone-ok", nullified: "tone-diverged", absent: "tone-missed" } as const;

/** A host's cell: by its stream, and by its own log. */
function Cell({ cell: { stream, publishedAt, log } }: { cell: DidCell }) {
  const lag = stream?.raw_lag_ms;
  return (
    <>
      {publishedAt === null ? null : (
        <>
          <Shape state={outcome("published")} /> <At at={publishedAt} />
        </>
      )}
      {stream === null ? null : (
        <>
          <Shape state={outcome(stream.verdict)} />
          {lag === null || lag === undefined ? null : <span class="tag"> {format.signed(lag)}</span>}
          {stream.confirmation ? <span class="sub">{findingWord(stream.confirmation)}</span> : null}
        </>
      )}
      {stream === null && publishedAt === null && log === null ? (
        <span class="null">not known here</span>
      ) : null}
      {log === null ? null : <span class={`sub ${LOG_TONES[log]}`}>{LOG_WORDS[log]}</span>}
    </>
  );
}

/** The latest that each host was asked: enough to ask it again and compare. */
function Probes({ hosts }: { hosts: readonly DidHost[] }) {
  const asked = hosts.filter((host) => host.latest_probe !== null);
  if (asked.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="asked-title">
      <div class="panel-head">
        <h2 id="asked-title">What hosts answered last</h2>
      </div>
      <ul class="probes">
        {asked.map(({ id, name, agreement: agrees, latest_probe: probe }) =>
          probe === null ? null : (
            <li key={id}>
              <b>{format.visible(name)}</b> {agrees === null ? null : <Shape state={agreement(agrees)} />}{" "}
              {probe.status === null ? format.visible(probe.error ?? "no answer") : `HTTP ${probe.status}`} at{" "}
              <At at={probe.at} /> {format.zoneWord()}
              <code>curl -s {format.visible(probe.url)} | sha256sum</code>
              {probe.body_sha256 === null ? null : <code>{probe.body_sha256}</code>}
            </li>
          ),
        )}
      </ul>
    </section>
  );
}
