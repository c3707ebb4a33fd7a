import { useEffect, useRef, useState } from "preact/hooks";
import { Comparison, DIRECT_KINDS, type DirectRow, type Phase, streamOf } from "../direct";
import * as format from "../format";
import type { Overview } from "../shapes";
import { overview } from "../state";
import { SHAPES, type StateWord, words } from "../words";
import { Shape } from "./Shape";

const DRAW_EVERY_MS = 500;
const NO_STREAM = "it has no stream that a page can open";

const PHASES: Record<Phase, StateWord> = {
  none: { tone: "unknown", shape: SHAPES.unknown, word: "no stream", rank: 0 },
  opening: { tone: "pending", shape: SHAPES.pending, word: "opening", rank: 0 },
  open: { tone: "ok", shape: SHAPES.ok, word: "open", rank: 0 },
  closed: { tone: "late", shape: SHAPES.late, word: "closed", rank: 0 },
};

interface Target {
  id: string;
  name: string;
  stream: string | null;
}

function targets(data: Overview): Target[] {
  const { primary } = data;
  const of = (id: string, name: string, url: string, transport: string) => ({
    id,
    name,
    stream: streamOf(url, transport),
  });
  return [
    of(primary.id, primary.name, primary.url, "stream"),
    ...data.mirrors.map((mirror) => of(mirror.id, mirror.name, mirror.url, mirror.transport)),
  ];
}

/** Opens the streams; gives what closes them. */
function connect(comparison: Comparison, hosts: readonly Target[]): () => void {
  const sockets = hosts.flatMap(({ id, stream }) => {
    if (stream === null) {
      comparison.without(id, NO_STREAM);
      return [];
    }
    try {
      const socket = new WebSocket(stream);
      socket.onopen = () => comparison.opened(id, Date.now());
      socket.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (typeof data === "string") comparison.take(id, data, Date.now());
      };
      socket.onclose = ({ code, reason }) =>
        comparison.closed(id, reason === "" ? `closed with ${code}` : `closed with ${code}: ${reason}`);
      return [socket];
    } catch {
      // A page that came encrypted may not open a stream that is not.
      comparison.closed(id, "the browser refuses to open it");
      return [];
    }
  });
  return () => {
    for (const socket of sockets) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  };
}

/** The hosts compared by the reader's own browser, once he wants that. */
export function DirectPanel() {
  const data = overview.state.value.page?.data;
  const [rows, setRows] = useState<readonly DirectRow[] | null>(null);
  const [hosts, setHosts] = useState<readonly Target[]>([]);
  const stop = useRef<(() => void) | null>(null);
  const end = () => {
    stop.current?.();
    stop.current = null;
  };
  useEffect(() => {
    addEventListener("pagehide", end);
    return () => {
      removeEventListener("pagehide", end);
      end();
    };
  }, []);
  const [running, setRunning] = useState(false);
  const begin = () => {
    if (data === undefined) return;
    const chosen = targets(data);
    const comparison = new Comparison(
      chosen.map((host) => host.id),
      data.primary.id,
    );
    const disconnect = connect(comparison, chosen);
    const draw = () => setRows(comparison.rows(Date.now()));
    const timer = setInterval(draw, DRAW_EVERY_MS);
    stop.current = () => {
      clearInterval(timer);
      disconnect();
      draw();
      setRunning(false);
    };
    setHosts(chosen);
    setRunning(true);
    draw();
  };
  return (
    <section class="panel" aria-labelledby="direct-title">
      <div class="panel-head">
        <h2 id="direct-title">From your browser, without us</h2>
      </div>
      <p class="hint direct-words">
        Your browser can read the streams of the primary and the mirrors by itself and compare them. It opens
        a connection to each of them: <b>they will see your address</b>. Nothing is opened before you press
        the button; stopping, or leaving this page, closes them all.
      </p>
      <p>
        <button
          type="button"
          class="button"
          disabled={data === undefined}
          onClick={running ? end : begin}
          data-direct={running}
        >
          {running ? "Stop" : "Connect and compare"}
        </button>
      </p>
      {rows === null ? null : <Rows rows={rows} hosts={hosts} running={running} />}
    </section>
  );
}

function Rows({
  rows,
  hosts,
  running,
}: {
  rows: readonly DirectRow[];
  hosts: readonly Target[];
  running: boolean;
}) {
  const kinds = DIRECT_KINDS.filter((kind) => kind !== "other" || rows.some((row) => row.kinds.has(kind)));
  const [primary] = rows;
  return (
    <>
      <p class="hint" role="status">
        {running ? "Comparing." : "Stopped; these are the last figures."}
      </p>
      <div class="scroller">
        <table class="list direct">
          <caption class="visually-hidden">Hosts as your browser sees them</caption>
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Stream</th>
              <th scope="col" class="num">
                Events
              </th>
              <th scope="col" class="num">
                Events/s
              </th>
              <th scope="col" class="num">
                Of the primary’s
              </th>
              <th scope="col" class="num">
                now − createdAt p50
              </th>
              <th scope="col" class="num">
                p95
              </th>
              <th scope="col" class="num">
                last
              </th>
              {kinds.map((kind) => (
                <th key={kind} scope="col" class="num">
                  {words(kind)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <HostRow
                key={row.id}
                row={row}
                name={hosts.find((host) => host.id === row.id)?.name ?? row.id}
                kinds={kinds}
                isPrimary={row === primary}
              />
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint direct-words">
        now − createdAt is by the clock of your computer and the primary’s: an error of your clock stands in
        every row alike, so compare rows, not the figures themselves. It holds your own distance to each host.
      </p>
    </>
  );
}

interface HostRowProps {
  row: DirectRow;
  name: string;
  kinds: readonly string[];
  isPrimary: boolean;
}

function HostRow({ row, name, kinds, isPrimary }: HostRowProps) {
  const unread = row.unread > 0 ? ` ${format.count(row.unread)} frames are no operations.` : "";
  return (
    <tr data-direct-host={row.id} data-events={row.events} data-of={row.of} data-came={row.came}>
      <th scope="row">
        <bdi>{format.visible(name)}</bdi>
        {isPrimary ? <span class="tag"> primary</span> : null}
      </th>
      <td data-label="Stream" data-phase={row.phase}>
        <Shape state={PHASES[row.phase]} />
        {row.reason === "" && unread === "" ? null : (
          <span class="sub">
            {format.visible(row.reason)}
            {unread}
          </span>
        )}
      </td>
      <td data-label="Events" class="num">
        {format.count(row.events)}
      </td>
      <td data-label="Events/s" class="num">
        {format.rate(row.perSecond)}
      </td>
      <td data-label="Of the primary’s" class="num">
        {isPrimary || row.of === 0 ? format.DASH : format.nOfN(row.came, row.of)}
      </td>
      <td data-label="now − createdAt p50" class="num">
        {format.duration(row.p50Ms)}
      </td>
      <td data-label="p95" class="num">
        {format.duration(row.p95Ms)}
      </td>
      <td data-label="last" class="num">
        {format.duration(row.lastMs)}
      </td>
      {kinds.map((kind) => (
        <td key={kind} data-label={words(kind)} class="num" data-of-kind={kind}>
          {format.count(row.kinds.get(kind) ?? 0)}
        </td>
      ))}
    </tr>
  );
}
