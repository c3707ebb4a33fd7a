import { useMemo } from "preact/hooks";
import * as format from "../format";
import type { Coverage, History, MirrorDetail } from "../shapes";
import { history } from "../state";
import { windowText } from "../view";
import { DivergenceStrip } from "./DivergenceStrip";
import { LagDistribution } from "./LagDistribution";
import { Matrix } from "./Matrix";
import { MirrorTime } from "./MirrorTime";
import { Value } from "./Value";

/** Windows from the shortest to the longest, as the API names them. */
const ORDER = ["5m", "15m", "1h", "6h", "24h", "7d", "30d"];

/** One mirror over time: every window in figures, the last hours by interval. */
export function MirrorCharts({ mirror }: { mirror: MirrorDetail }) {
  return (
    <>
      <Windows windows={mirror.windows} />
      <ByInterval id={mirror.id} name={mirror.name} />
      <MirrorTime id={mirror.id} name={mirror.name} />
      <div class="pair even">
        <LagDistribution id={mirror.id} />
        <DivergenceStrip id={mirror.id} />
      </div>
    </>
  );
}

/** What of the history is this mirror's; none where it has no such mirror. */
export function only(page: History, id: string): History | null {
  const mirrors = page.mirrors.filter((mirror) => mirror.id === id);
  return mirrors.length === 0 || page.t_unix_ms.length === 0 ? null : { ...page, mirrors };
}

function ByInterval({ id, name }: { id: string; name: string }) {
  const page = history.value.state.value.page?.data;
  const own = useMemo(() => (page === undefined ? null : only(page, id)), [page, id]);
  const names = useMemo(() => new Map([[id, name]]), [id, name]);
  if (own === null) return null;
  return (
    <div class="history">
      <Matrix history={own} names={names} />
    </div>
  );
}

function Windows({ windows }: { windows: Record<string, Coverage> }) {
  const known = ORDER.flatMap((name) => {
    const coverage = new Map(Object.entries(windows)).get(name);
    return coverage === undefined ? [] : [[name, coverage] as const];
  });
  return (
    <section class="panel" aria-labelledby="windows-title">
      <div class="panel-head">
        <h2 id="windows-title">Coverage by window</h2>
        <a href="/methodology#coverage">how it is made</a>
      </div>
      <div class="scroller">
        <table class="list numbers">
          <thead>
            <tr>
              <th scope="col">The last</th>
              <th scope="col">Coverage</th>
              <th scope="col">95 % interval</th>
              <th scope="col">Missed</th>
              <th scope="col">On time</th>
              <th scope="col">Could be judged</th>
            </tr>
          </thead>
          <tbody>
            {known.map(([name, coverage]) => (
              <Window key={name} name={name} coverage={coverage} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Window({ name, coverage }: { name: string; coverage: Coverage }) {
  const { counts } = coverage;
  const decided = counts.decided ?? 0;
  const timed = (counts.on_time ?? 0) + (counts.late ?? 0) + (counts.missed ?? 0);
  return (
    <tr data-window={name}>
      <th scope="row" data-label="The last">
        {windowText(name)}
      </th>
      <td data-label="Coverage">
        <Value of={coverage} name="coverage_ratio" figure={`coverage-${name}`}>
          {format.percent(coverage.coverage_ratio, decided)}
        </Value>
      </td>
      <td data-label="95 % interval">
        {format.interval(coverage.low95_ratio, coverage.high95_ratio, decided)}
      </td>
      <td data-label="Missed">{format.nOfN(counts.missed, decided)}</td>
      <td data-label="On time">{format.percent(coverage.timely_ratio ?? null, timed)}</td>
      <td data-label="Could be judged">
        {format.percent(coverage.observed_ratio, decided + (counts.unknown ?? 0))}
      </td>
    </tr>
  );
}
