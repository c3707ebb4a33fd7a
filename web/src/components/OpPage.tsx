import { useAnswer } from "../answer";
import * as format from "../format";
import { paths } from "../route";
import type { OpHost, OpPage as Page } from "../shapes";
import { findingText, outcome, reasonText, words } from "../words";
import { ArrivalStrip } from "./ArrivalStrip";
import { Findings } from "./Findings";
import { At, DidLink, OpLink } from "./Ids";
import { Shape } from "./Shape";
import { Stale, Unanswered } from "./Unanswered";

const EVERY_MS = 5_000;

/** One operation: when every host brought it, how that is judged, and the evidence. */
export function OpPage({ did, cid }: { did: string; cid: string }) {
  const url = `/api/v1/ops/${did}/${cid}`;
  const { page, failure } = useAnswer<Page>(url, EVERY_MS);
  return (
    <main data-page="op">
      <div class="verdict">
        <h1 tabIndex={-1}>
          {page === null ? "Operation" : `${capital(words(page.data.kind))} operation`} of{" "}
          <DidLink did={did} />
        </h1>
        <p class="chips">
          <a href={`${url}/evidence`} download={`mirrorwatch-evidence-${cid}.json`} data-evidence>
            evidence (JSON file)
          </a>
          <a class="json" href={url}>
            JSON
          </a>
        </p>
      </div>
      <p class="hint">
        <code class="long">{cid}</code>
        {page === null ? null : <Facts op={page.data} />}
      </p>
      <Stale failure={page === null ? null : failure} />
      {page === null ? (
        <Unanswered what="this operation" failure={failure} />
      ) : (
        <>
          <Sentence op={page.data} />
          <section class="panel" aria-labelledby="arrivals-title">
            <div class="panel-head">
              <h2 id="arrivals-title">Arrivals</h2>
              <span class="hint">
                logarithmic, behind the first; the band is what the round trips leave unknown
              </span>
            </div>
            <ArrivalStrip op={page.data} />
          </section>
          <section class="panel" aria-labelledby="judged-title">
            <div class="panel-head">
              <h2 id="judged-title">What is known of it at each host</h2>
            </div>
            <ul class="judged">
              {page.data.hosts.map((host) => (
                <Judged key={host.id} op={page.data} host={host} />
              ))}
            </ul>
          </section>
          <Findings findings={page.data.findings ?? []} />
        </>
      )}
    </main>
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function Facts({ op }: { op: Page }) {
  return (
    <>
      {" "}
      · created {op.created_at.slice(0, 10)} <At at={op.created_at} /> {format.zoneWord()}
      {op.seq === null ? "" : ` · seq ${format.count(op.seq)} of the primary`}
    </>
  );
}

/** The whole of it in a sentence. */
function Sentence({ op }: { op: Page }) {
  const mirrors = op.hosts.filter((host) => host.role !== "primary");
  const have = mirrors.filter((host) => host.offset_ms !== null).length;
  const missed = mirrors.filter((host) => host.verdict === "missed").length;
  const published = op.is_published ? "The primary published it" : "The primary has not published it";
  const tail = missed > 0 ? `; ${format.count(missed)} missed it` : "";
  return (
    <p class="banner" data-have={have}>
      <Shape state={outcome(op.is_published ? "published" : "extra")} wordless /> {published};{" "}
      {format.count(have)} of {format.count(mirrors.length)} mirrors have it{tail}.
    </p>
  );
}

function Judged({ op, host }: { op: Page; host: OpHost }) {
  const isLate = host.raw_lag_ms !== null && host.raw_lag_ms !== undefined;
  return (
    <li data-host={host.id}>
      <p>
        <b>
          {host.role === "primary" ? (
            format.visible(host.name)
          ) : (
            <a href={paths.mirror(host.id)}>{format.visible(host.name)}</a>
          )}
        </b>{" "}
        <Shape state={outcome(host.verdict)} />
        {host.at === null ? null : (
          <>
            {" "}
            at <At at={host.at} /> {format.zoneWord()}
          </>
        )}
      </p>
      {isLate ? <Lag host={host} /> : null}
      {host.unknown_reason ? <p class="hint">Because {reasonText(host.unknown_reason)}.</p> : null}
      {host.verdict === "pending" && host.deadline_at ? (
        <p class="hint">
          Its deadline is <At at={host.deadline_at} /> {format.zoneWord()}.
        </p>
      ) : null}
      {host.follows ? (
        <p class="hint">
          It follows from an earlier miss: <OpLink did={op.did} cid={host.follows} />.
        </p>
      ) : null}
      {(host.followers ?? 0) > 0 ? (
        <p class="hint">
          <a href={paths.misses({ mirror: host.id, follows: op.cid })}>
            {format.count(host.followers)} misses follow
          </a>{" "}
          from it.
        </p>
      ) : null}
      {host.confirmation ? <p>{findingText(host.confirmation)}</p> : null}
      {host.verdict === "missed" && !host.confirmation ? <p class="hint">{findingText(null)}</p> : null}
      {host.check === null ? null : <Check host={host} />}
    </li>
  );
}

function Lag({ host }: { host: OpHost }) {
  const raw = host.raw_lag_ms ?? 0;
  const { correction_ms: correction, uncertainty_ms: uncertainty } = host;
  if (correction === null || correction === undefined || uncertainty === null || uncertainty === undefined)
    return <p class="hint">{format.signed(raw)} against the primary, as measured; no round trip is known.</p>;
  return (
    <p class="hint">
      {format.lag(raw - correction, uncertainty)} ± {format.duration(uncertainty)} against the primary (
      {format.signed(raw)} as measured, less {format.duration(correction)} of network as it is now).
    </p>
  );
}

function Check({ host: { check } }: { host: OpHost }) {
  if (check === null) return null;
  return (
    <details class="check">
      <summary>
        Asked {check.looks === 1 ? "once" : `${format.count(check.looks)} times`}, last at{" "}
        <At at={check.at} /> {format.zoneWord()}
        {check.is_final ? "" : "; will be asked again"}
      </summary>
      <ul class="probes">
        {check.probes.map((probe) => (
          <li key={`${probe.host} ${probe.url} ${probe.at}`}>
            <b>{format.visible(probe.host)}</b>{" "}
            {probe.status === null ? format.visible(probe.error ?? "no answer") : `HTTP ${probe.status}`} at{" "}
            <At at={probe.at} /> {format.zoneWord()}
            <code>curl -s {format.visible(probe.url)} | sha256sum</code>
            {probe.body_sha256 === null ? null : <code>{probe.body_sha256}</code>}
          </li>
        ))}
      </ul>
    </details>
  );
}
