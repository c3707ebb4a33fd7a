import * as format from "../format";
import { paths } from "../route";
import type { OpHost, OpPage } from "../shapes";
import { axisEnd, marks, place } from "../strip";
import { outcome } from "../words";
import { Shape } from "./Shape";

const WIDTH = 1000;
const HEIGHT = 26;

/** When each host brought the operation, on one axis, each with its words. */
export function ArrivalStrip({ op }: { op: OpPage }) {
  const end = axisEnd(op.hosts.map((host) => host.offset_ms ?? 0));
  const x = (ms: number) => place(ms, end) * WIDTH;
  return (
    <table class="strip">
      <thead>
        <tr>
          <th scope="col">Host</th>
          <th scope="col" class="axis">
            <span class="visually-hidden">Milliseconds behind the first arrival</span>
            <Axis end={end} />
          </th>
          <th scope="col">Behind the first</th>
        </tr>
      </thead>
      <tbody>
        {op.hosts.map((host) => (
          <tr key={host.id} data-host={host.id} data-verdict={host.verdict}>
            <th scope="row">
              {host.role === "primary" ? (
                <bdi>{format.visible(host.name)}</bdi>
              ) : (
                <a href={paths.mirror(host.id)}>
                  <bdi>{format.visible(host.name)}</bdi>
                </a>
              )}
            </th>
            <td class="axis">
              <Track host={host} end={end} x={x} />
            </td>
            <td data-offset={String(host.offset_ms)}>
              <Words host={host} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The marks in text, which keeps its size where the axis is short; every second mark gives way there. */
function Axis({ end }: { end: number }) {
  const all = marks(end);
  return (
    <span class="axis-labels" aria-hidden="true">
      {all.map((mark, index) => (
        <span
          key={mark}
          class={mark === 1 || mark === 100 || mark === 10_000 ? "minor" : undefined}
          data-end={index === 0 ? "first" : index === all.length - 1 ? "last" : undefined}
          style={{ left: `${(place(mark, end) * 100).toFixed(2)}%` }}
        >
          {mark === 0 ? "0" : format.duration(mark).replace(/\.0+(?=\D)/, "")}
        </span>
      ))}
    </span>
  );
}

function Track({ host, end, x }: { host: OpHost; end: number; x: (ms: number) => number }) {
  const { offset_ms: offset, uncertainty_ms: uncertainty } = host;
  const tone = outcome(host.verdict).tone;
  const half = uncertainty ?? 0;
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
      class="track"
    >
      {marks(end).map((mark) => (
        <line key={mark} class="grid" x1={x(mark)} x2={x(mark)} y1="0" y2={HEIGHT} />
      ))}
      <line class="rail" x1="0" x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      {offset === null ? null : (
        <>
          {half > 0 ? (
            <rect
              class="band"
              x={x(offset - half)}
              width={Math.max(2, x(offset + half) - x(offset - half))}
              y={HEIGHT / 2 - 6}
              height="12"
            />
          ) : null}
          <line class={`tick stroke-${tone}`} x1={x(offset)} x2={x(offset)} y1="3" y2={HEIGHT - 3} />
        </>
      )}
    </svg>
  );
}

function Words({ host }: { host: OpHost }) {
  return (
    <>
      <Shape state={outcome(host.verdict)} />{" "}
      {host.offset_ms === null ? null : (
        <span>
          {host.offset_ms === 0 ? "first" : format.signed(host.offset_ms)}
          {host.delivery === "filled" ? ", in a fill" : ""}
        </span>
      )}
    </>
  );
}
