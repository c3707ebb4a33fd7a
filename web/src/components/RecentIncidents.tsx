import * as format from "../format";
import { incidents } from "../state";
import { IncidentList } from "./IncidentList";
import { Info } from "./Info";
import { ChartHead } from "./Twin";

const SHOWN = 5;

/** What is going on and what was lately, below the charts of the overview. */
export function RecentIncidents() {
  const { page, error } = incidents.state.value;
  const all = page?.data.incidents ?? [];
  const shown = all.slice(0, SHOWN);
  return (
    <section class="panel" aria-labelledby="incidents-title">
      <ChartHead id="incidents-title" json={incidents.url}>
        Incidents <Info about="incident" label="an incident" />
      </ChartHead>
      {page === null ? (
        <p class="hint">{error === null ? "Asking…" : `Could not be read (${error}); trying again.`}</p>
      ) : (
        <p class="hint" data-open-incidents={page.data.open}>
          {all.length === 0
            ? "No mirror has been in a bad state since it is watched."
            : `${format.count(page.data.open)} open; the newest ${shown.length} of ${format.count(all.length)}. `}
          {all.length > SHOWN ? <a href="/incidents">all incidents</a> : null}
        </p>
      )}
      <IncidentList incidents={shown} />
    </section>
  );
}
