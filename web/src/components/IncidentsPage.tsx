import { useAnswer } from "../answer";
import * as format from "../format";
import { go } from "../route";
import type { Incident, Incidents } from "../shapes";
import { incidents } from "../state";
import { tableOf } from "../table-of";
import { mirrorState } from "../words";
import { Choice } from "./Choice";
import { MirrorLink, mirrorName } from "./Ids";
import { IncidentList } from "./IncidentList";
import { Shape } from "./Shape";
import { Stale, Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";

/** Every time in which a mirror was not well, newest first. */
export function IncidentsPage({ query }: { query: string }) {
  const { page, error } = incidents.state.value;
  const failure = error === null ? null : { status: null, code: "network", detail: error };
  return (
    <main data-page="incidents">
      <ViewHead title="Incidents" json={incidents.url} csv={tableOf(incidents.url)} />
      <section class="panel" aria-label="The list">
        <Stale failure={page === null ? null : failure} />
        {page === null ? (
          <Unanswered what="the incidents" failure={failure} />
        ) : (
          <Listed page={page.data} query={new URLSearchParams(query)} />
        )}
      </section>
    </main>
  );
}

function Listed({ page, query }: { page: Incidents; query: URLSearchParams }) {
  const mirror = query.get("mirror") ?? "";
  const shown = page.incidents.filter((incident) => mirror === "" || incident.mirror === mirror);
  const ids = [...new Set(page.incidents.map((incident) => incident.mirror))].sort();
  return (
    <>
      <fieldset class="filters">
        <legend class="visually-hidden">Filters of the list</legend>
        <Choice
          label="At"
          name="mirror"
          value={mirror}
          choices={[["", "all mirrors"], ...ids.map((id) => [id, mirrorName(id)] as const)]}
          set={(value) =>
            go(value === "" ? "/incidents" : `/incidents?${new URLSearchParams({ mirror: value })}`)
          }
        />
      </fieldset>
      <p class="hint" role="status" data-count={shown.length}>
        {page.incidents.length === 0
          ? "No mirror has been in a bad state since it is watched."
          : `${format.count(page.open)} open now; ${format.nOfN(shown.length, page.incidents.length)} shown, newest first`}
        {page.truncated ? "; older ones are not listed." : "."} A mirror that cannot be observed is in no
        incident for that: the time is an interruption.
      </p>
      <IncidentList incidents={shown} />
    </>
  );
}

const EVERY_MS = 5_000;

/** One incident: how it went, change by change. */
export function IncidentPage({ id }: { id: string }) {
  const url = `/api/v1/incidents/${encodeURIComponent(id)}`;
  const { page, failure } = useAnswer<Incident>(url, EVERY_MS);
  const incident = page?.data ?? null;
  return (
    <main data-page="incident">
      <ViewHead
        title={incident === null ? "Incident" : `Incident at ${mirrorName(incident.mirror)}`}
        json={url}
      />
      <Stale failure={page === null ? null : failure} />
      {incident === null ? (
        <Unanswered what="this incident" failure={failure} />
      ) : (
        <Story incident={incident} />
      )}
      <p>
        <a href="/incidents">All incidents</a>
      </p>
    </main>
  );
}

function Story({ incident }: { incident: Incident }) {
  const changes = incident.changes ?? [];
  return (
    <>
      <section class="panel" aria-label="The incident">
        <IncidentList incidents={[incident]} />
        <p class="hint">
          In bad states for {format.duration(incident.bad_s * 1000)}, interruptions not counted.{" "}
          {incident.link_misses === undefined ? null : <a href={incident.link_misses}>what it missed</a>}{" "}
          <MirrorLink id={incident.mirror} />
        </p>
      </section>
      <section class="panel" aria-labelledby="changes-title">
        <div class="panel-head">
          <h2 id="changes-title">How it went</h2>
        </div>
        <ol class="events">
          {changes.map((change) => (
            <li key={`${change.at} ${change.to}`} data-change={change.to}>
              <time dateTime={change.at} title={change.at}>
                {format.dateTime(change.at)}
              </time>
              <Shape state={mirrorState(change.to)} />
              <span>{format.visible(change.why)}</span>
            </li>
          ))}
        </ol>
        {(incident.changes_not_listed ?? 0) > 0 ? (
          <p class="hint">{format.count(incident.changes_not_listed)} earlier changes are not kept.</p>
        ) : null}
      </section>
    </>
  );
}
