import { intervalEnd } from "../cells";
import { now } from "../clock";
import * as format from "../format";
import type { Overview } from "../shapes";
import { history } from "../state";
import { flagText } from "../words";

/** What stands between the verdict and the numbers when something has to be said first. */
export function Banners({ data }: { data: Overview }) {
  return (
    <>
      {data.observer.state === "impaired" ? <Impaired data={data} /> : null}
      <Saving data={data} />
      {data.mirrors.length === 0 ? <NoMirrors /> : <Awaited data={data} />}
    </>
  );
}

function Impaired({ data: { observer } }: { data: Overview }) {
  const flags =
    observer.flags.length > 0 ? observer.flags.map(flagText).join(". ") : "This observer is impaired";
  const since =
    observer.since_at === null
      ? ""
      : ` (since ${format.clock(Date.parse(observer.since_at))} ${format.zoneWord()})`;
  return (
    <p class="banner amber" role="status">
      <span aria-hidden="true">▲ </span>
      {flags}
      {since}; this time is not counted against any mirror.
    </p>
  );
}

/** What is wrong with what is kept, and since when. */
export function Saving({ data: { observer } }: { data: Overview }) {
  const restarted = observer.totals_restarted_at?.slice(0, 10);
  return (
    <>
      {(observer.degraded ?? []).map((told) => (
        <p class="banner amber" role="status" data-degraded key={told}>
          <span aria-hidden="true">▲ </span>
          {format.visible(told)}
        </p>
      ))}
      {restarted === undefined ? null : (
        <p class="banner" data-restarted>
          <span aria-hidden="true">○ </span>
          Lifetime totals start at {restarted}: what was kept before could not be read.
        </p>
      )}
    </>
  );
}

/** Until the first operations are decided: what is awaited, and when it is due. */
function Awaited({ data }: { data: Overview }) {
  const decided = data.mirrors.some((mirror) => (mirror.coverage.counts.decided ?? 0) > 0);
  if (decided) return null;
  const seen = data.primary.received_ops ?? 0;
  if (seen === 0) {
    return (
      <p class="banner" data-awaited>
        <span aria-hidden="true">○ </span>Waiting for the first operation from{" "}
        {format.visible(data.primary.name)}…
      </p>
    );
  }
  const resolutionS = history.value.state.value.page?.data.resolution_s;
  if (resolutionS === undefined) return null;
  const end = intervalEnd(now.value, resolutionS);
  return (
    <p class="banner" data-awaited>
      <span aria-hidden="true">○ </span>First window closes at {format.clock(end)} {format.zoneWord()} (in{" "}
      {format.ticking(end - now.value)}). {format.count(seen)} operations seen so far.
    </p>
  );
}

function NoMirrors() {
  return (
    <div class="banner">
      <p>No mirrors are configured. Add these lines to config.json and start again:</p>
      <pre>{`"mirrors": [\n  { "name": "plc.klbr.net", "url": "wss://plc.klbr.net" }\n]`}</pre>
    </div>
  );
}
