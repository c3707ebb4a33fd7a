import { useState } from "preact/hooks";
import * as format from "../format";
import type { LagLine } from "../lag-series";
import type { History } from "../shapes";

/** The twin of the chart: the same medians as a table, newest first. Built only when it is opened. */
export function LagTable({ history, lines }: { history: History; lines: readonly LagLine[] }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="twin" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>View as table</summary>
      {open ? <Rows history={history} lines={lines} /> : null}
    </details>
  );
}

function Rows({ history, lines }: { history: History; lines: readonly LagLine[] }) {
  const order = history.t_unix_ms.map((_, index) => index).reverse();
  return (
    <div class="scroller tall">
      <table class="plain">
        <caption class="visually-hidden">Median lag by interval and mirror</caption>
        <thead>
          <tr>
            <th scope="col">Interval, UTC</th>
            {lines.map((line) => (
              <th key={line.id} scope="col" class="num">
                <bdi>{format.visible(line.name)}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map((index) => (
            <tr key={history.t_unix_ms[index]}>
              <th scope="row">{format.clock(history.t_unix_ms[index] ?? 0)}</th>
              {lines.map((line) => (
                <td key={line.id} class="num">
                  {format.duration(line.p50[index])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
