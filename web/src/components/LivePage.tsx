import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { now } from "../clock";
import * as format from "../format";
import type { Connection } from "../live";
import { columns, fits, type OpsFilters, type OpsLog, PACES_MAX, pageOf, readFilters } from "../ops-log";
import { OpsStream } from "../ops-stream";
import { go } from "../route";
import { overview } from "../state";
import { KINDS, outcome, words } from "../words";
import { Choice } from "./Choice";
import { DirectPanel } from "./DirectPanel";
import { mirrorName } from "./Ids";
import { LiveTable } from "./LiveTable";
import { Sparkline } from "./Sparkline";
import { ViewHead } from "./ViewHead";

/** An age from which on it is told although the socket is open, in milliseconds. */
const OLD_MS = 5_000;
const STATES = [
  "missed",
  "late",
  "pending",
  "unknown",
  "on_time",
  "present",
  "disputed",
  "withdrawn",
] as const;
/** What takes the space bar for itself. */
const TAKES_SPACE = "input, textarea, select, button, a, summary, [contenteditable], [role=button]";

/** The newest operations as they come, with each mirror's arrival; and the reader's own comparison of the hosts. */
export function LivePage({ query }: { query: string }) {
  const stream = useMemo(() => new OpsStream(), []);
  const [paused, pause] = useState(false);
  useEffect(() => {
    stream.start();
    const hurry = () => document.visibilityState === "visible" && stream.live.hurry();
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    return () => {
      removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
      stream.stop();
    };
  }, [stream]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target instanceof Element && event.target.matches(TAKES_SPACE)) return;
      event.preventDefault();
      pause((before) => !before);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const log = stream.shown.value;
  const filters = readFilters(query);
  return (
    <main data-page="live">
      <ViewHead title="Operations as they come" json="/api/v1/ops/recent" />
      <Rates log={log} />
      <section class="panel" aria-labelledby="ops-title">
        <div class="panel-head">
          <h2 id="ops-title">The last 200 operations</h2>
          <span class="hint">
            newest first; each mirror’s arrival against the primary’s, as measured here
          </span>
        </div>
        <Bar log={log} filters={filters} stream={stream} paused={paused} pause={pause} />
        <Held stream={stream} paused={paused} log={log} filters={filters} />
      </section>
      <DirectPanel />
    </main>
  );
}

function hostName(id: string): string {
  const primary = overview.state.value.page?.data.primary;
  return primary?.id === id ? format.visible(primary.name) : mirrorName(id);
}

/** Operations a second of each host, with their course over the last minute. */
function Rates({ log }: { log: OpsLog }) {
  return (
    <ul class="rates" aria-label="Operations per second">
      {log.hosts.map((host) => {
        const paces = log.paces.get(host.id) ?? [];
        const lead = Array.from({ length: PACES_MAX - paces.length }, () => null);
        return (
          <li key={host.id} data-rate={host.id}>
            <span class="who">
              <bdi>{hostName(host.id)}</bdi>
            </span>
            <b>{format.rate(host.rate_ops_per_s)}</b> <span class="unit">ops/s, last minute</span>
            <Sparkline
              values={[...lead, ...paces]}
              label={`${hostName(host.id)}, each second of the last minute`}
            />
          </li>
        );
      })}
    </ul>
  );
}

interface BarProps {
  log: OpsLog;
  filters: OpsFilters;
  stream: OpsStream;
  paused: boolean;
  pause: (paused: boolean) => void;
}

function Bar({ log, filters, stream, paused, pause }: BarProps) {
  const set = (name: keyof OpsFilters) => (value: string) => go(pageOf({ ...filters, [name]: value }), true);
  return (
    <>
      <fieldset class="filters">
        <legend class="visually-hidden">Filters of the list</legend>
        <Choice
          label="Kind"
          name="kind"
          value={filters.kind}
          choices={[["", "any"], ...KINDS.map((kind) => [kind, words(kind)] as const)]}
          set={set("kind")}
        />
        <Choice
          label="Mirror"
          name="mirror"
          value={filters.mirror}
          choices={[["", "all"], ...log.mirrors.map((id) => [id, mirrorName(id)] as const)]}
          set={set("mirror")}
        />
        <Choice
          label="Stands at a mirror as"
          name="state"
          value={filters.state}
          choices={[["", "anything"], ...STATES.map((state) => [state, outcome(state).word] as const)]}
          set={set("state")}
        />
        <button
          type="button"
          class="button"
          aria-pressed={paused}
          aria-keyshortcuts="Space"
          onClick={() => pause(!paused)}
          data-pause
        >
          <span aria-hidden="true">{paused ? "▶" : "❚❚"}</span> {paused ? "Resume" : "Pause"}
        </button>
      </fieldset>
      <p class="hint">
        <Status
          connection={stream.live.connection.value}
          paused={paused}
          at={log.at}
          readersMax={stream.readersMax.value}
        />{" "}
        <Age connection={stream.live.connection.value} at={log.at} />
        {stream.waiting.value > 0 ? <> {format.count(stream.waiting.value)} newer wait.</> : null}
        {log.skipped > 0 ? <> {format.count(log.skipped)} came too fast to be listed.</> : null}
      </p>
    </>
  );
}

interface StatusProps {
  connection: Connection;
  paused: boolean;
  at: string | null;
  readersMax: number;
}

/** What a reader who only hears is told: that it goes on or does not, and nothing of single operations. */
function Status({ connection, paused, at, readersMax }: StatusProps) {
  const line = { live: "Live", connecting: "Connecting", reconnecting: "Connection lost, reconnecting" };
  const isFirst = at === null && connection.status !== "reconnecting";
  if (readersMax > 0) {
    return (
      <span role="status" data-status="full" data-paused={paused}>
        <span aria-hidden="true">▲ </span>Asked for every 5 s, as {format.count(readersMax)} readers get them
        live already{paused ? ", paused" : ""}.
      </span>
    );
  }
  return (
    <span role="status" data-status={connection.status} data-paused={paused}>
      <span aria-hidden="true">{connection.status === "live" ? "● " : "▲ "}</span>
      {isFirst ? "Waiting for the first operations" : line[connection.status]}
      {paused ? ", paused" : ""}.
    </span>
  );
}

/** How old what is shown is, where that is worth a word. */
function Age({ connection, at }: { connection: Connection; at: string | null }) {
  if (at === null) return null;
  const age = Math.max(0, now.value - Date.parse(at));
  if (connection.status === "live" && age < OLD_MS) return null;
  const tries = connection.status === "reconnecting" ? `, try ${format.count(connection.attempt)}` : "";
  return (
    <span class="tone-late" data-age-s={Math.floor(age / 1000)}>
      What is shown is {format.ticking(age)} old{tries}.
    </span>
  );
}

interface HeldProps {
  stream: OpsStream;
  paused: boolean;
  log: OpsLog;
  filters: OpsFilters;
}

/** The list, which stands still while it is paused, pointed at, or held by the keyboard. */
function Held({ stream, paused, log, filters }: HeldProps) {
  const box = useRef<HTMLDivElement>(null);
  const [pointed, point] = useState(false);
  const [focused, focus] = useState(false);
  const held = paused || pointed || focused;
  useEffect(() => {
    stream.hold(held);
  }, [stream, held]);
  const shown = columns(log.mirrors, filters);
  const ops = log.ops.filter((op) => fits(op, shown, filters));
  return (
    <div
      ref={box}
      class="ops"
      data-held={held}
      onPointerEnter={(event) => point(event.pointerType === "mouse")}
      onPointerLeave={() => point(false)}
      onFocusIn={() => focus(true)}
      onFocusOut={(event) => focus(box.current?.contains(event.relatedTarget as Node | null) ?? false)}
    >
      <p class="hint" data-shown={ops.length}>
        {log.ops.length === 0
          ? "Nothing yet: an operation appears here as soon as the primary publishes it."
          : ops.length === 0
            ? `None of the last ${format.count(log.ops.length)} operations fits these filters.`
            : `${format.nOfN(ops.length, log.ops.length)} shown${held ? ", held as they were" : ""}.`}
      </p>
      {ops.length === 0 ? null : <LiveTable ops={ops} mirrors={log.mirrors} shown={shown} />}
    </div>
  );
}
