import { now } from "../clock";
import * as format from "../format";
import type { Incident } from "../shapes";
import { mirrorState } from "../words";
import { MirrorLink } from "./Ids";
import { Shape } from "./Shape";

/** How an incident stands, in words. */
function phaseText(incident: Incident): string {
  if (incident.phase === "open") return "open";
  if (incident.phase === "interrupted") return "interrupted: it cannot be told now";
  return incident.ended_at === null
    ? "over"
    : `over at ${format.dateTime(incident.ended_at)} ${format.zoneWord()}`;
}

/** How long it has been going on, or went on, interruptions and all. */
function lasted(incident: Incident, atMs: number): number {
  return Math.max(
    0,
    (incident.ended_at === null ? atMs : Date.parse(incident.ended_at)) - Date.parse(incident.started_at),
  );
}

/** Incidents, newest first: what it was, where, since when, how long. */
export function IncidentList({ incidents }: { incidents: readonly Incident[] }) {
  return (
    <ol class="incidents">
      {incidents.map((incident) => (
        <li key={incident.id} data-incident={incident.id} data-phase={incident.phase}>
          <Shape state={mirrorState(incident.worst_state)} />
          <span class="who">
            <MirrorLink id={incident.mirror} />
          </span>
          <span class="what">
            <a href={incident.link_html ?? `/incidents/${incident.id}`}>
              <time dateTime={incident.started_at}>
                {format.dateTime(incident.started_at)} {format.zoneWord()}
              </time>
            </a>{" "}
            <b>{phaseText(incident)}</b>, {format.ticking(lasted(incident, now.value))}
            {incident.interruptions.length > 0
              ? `, ${format.count(incident.interruptions.length)} times not observable`
              : ""}
            <span class="sub">{format.visible(incident.headline)}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
