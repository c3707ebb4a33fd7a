import { now } from "../clock";
import * as format from "../format";
import type { Meta } from "../shapes";
import { ageMs, isStale, live, overview } from "../state";

/** How old the numbers are, ticking. When the line to the server is gone, it says so and counts the tries. */
export function DataAge({ meta }: { meta: Meta }) {
  const age = ageMs(meta, now.value);
  const { status, attempt } = live.connection.value;
  const { error } = overview.state.value;
  const old = isStale(meta, now.value);
  const title = `Computed ${format.clock(Date.parse(meta.generated_at))} ${format.zoneWord()}, every ${format.duration(meta.recompute_interval_s * 1000)}; revision ${meta.revision}`;
  if (status === "reconnecting") {
    return (
      <span class="age tone-late" title={error ?? title} data-age>
        <span aria-hidden="true">▲ </span>Last update {format.ticking(age)} ago — reconnecting ({attempt})
      </span>
    );
  }
  return (
    <span class={old ? "age tone-late" : "age"} title={title} data-age>
      {old ? <span aria-hidden="true">▲ </span> : null}
      data {format.ticking(age)} old{old ? ", stale" : ""}
    </span>
  );
}
