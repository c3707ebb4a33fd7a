import * as format from "../format";
import type { Primary } from "../shapes";
import { linkState } from "../words";
import { Shape } from "./Shape";
import { Value } from "./Value";

/** The pinned first row. What compares with the primary is a dash: it is what the mirrors are compared with. */
export function PrimaryRow({ primary }: { primary: Primary }) {
  const dash = (label: string) => (
    <td class="num null" data-label={label} title="mirrors are compared with the primary">
      {format.DASH}
    </td>
  );
  const complete = primary.completeness;
  return (
    <tr class="primary" data-source={primary.id}>
      <td data-label="State">
        <Shape state={linkState(primary.link.state)} />
      </td>
      <th scope="row" data-label="Source">
        <bdi>{format.visible(primary.name)}</bdi> <span class="tag">primary</span>
        <span class="sub">
          {format.rate(primary.rate_ops_per_s)} ops/s, {format.count(primary.received_ops)} received
        </span>
      </th>
      <td data-label="Coverage">
        <Value
          of={complete}
          name="stream_ratio"
          figure="primary-complete"
          title="operations that its stream sent, of those that its log is known to list"
        >
          {format.percent(complete.stream_ratio, complete.known_ops)}
        </Value>
        <span class="sub">
          {complete.stream_gap_ops === 0
            ? "its stream sent all that is known"
            : `${format.count(complete.stream_gap_ops)} of its log not on its stream`}
        </span>
      </td>
      {["Missed", "Late", "Extra", "Behind", "Lag p50", "p95", "p99"].map(dash)}
      <td class="num" data-label="RTT">
        <Value of={primary.rtt} name="tcp_ms" figure="primary-rtt">
          {format.duration(primary.rtt.tcp_ms)}
        </Value>
      </td>
      <td class="num" data-label="Link up">
        <Value of={primary.link} name="connected_ratio">
          {format.percent(primary.link.connected_ratio, 10_000)}
        </Value>
      </td>
    </tr>
  );
}
