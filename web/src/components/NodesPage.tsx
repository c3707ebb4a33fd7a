import { useEffect, useMemo, useRef } from "preact/hooks";
import * as format from "../format";
import { type Lane, lanes, type NodeEvent, spanOf } from "../node-events";
import { NEWEST_URL, NodeStream, type Standing } from "../node-stream";
import { Hatch } from "./Cdf";
import { At } from "./Ids";
import { Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";
import { useWidth } from "./width";

const HEIGHT = 26;
/** Half a mark's width, so that the first and the last are whole. */
const EDGE = 5;
/** Events of a sender that are listed at once. */
const ROWS = 20;

/** What nodes report of themselves, as it comes: a lane and a list for each. */
export function NodesPage() {
  const stream = useMemo(() => new NodeStream(), []);
  useEffect(() => {
    void stream.start();
    return () => stream.stop();
  }, [stream]);
  const events = stream.events.value;
  return (
    <main data-page="nodes">
      <ViewHead title="What nodes report" json={NEWEST_URL} />
      {events === null ? (
        <Unanswered what="the events of nodes" failure={stream.failure.value} />
      ) : (
        <Lanes events={events} standing={stream.standing.value} />
      )}
    </main>
  );
}

const STANDINGS: Record<Standing, string> = {
  asking: "○ connecting",
  live: "● live",
  interrupted: "▲ interrupted; connecting again",
};

function Lanes({ events, standing }: { events: readonly NodeEvent[]; standing: Standing }) {
  const all = useMemo(() => lanes(events), [events]);
  const span = spanOf(events);
  return (
    <>
      <p class="hint" role="status" data-standing={standing}>
        {STANDINGS[standing]}
      </p>
      <p class="hint" data-count={events.length}>
        {events.length === 0
          ? "No node has reported anything yet."
          : `The newest ${format.count(events.length)} events, a lane for each of ${format.count(all.length)} senders, from ${at(span[0])} to ${at(span[1])}.`}
      </p>
      {all.map((lane) => (
        <LanePanel key={lane.sender} lane={lane} span={span} />
      ))}
    </>
  );
}

function at(ms: number): string {
  return format.dateTime(iso(ms));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function summaryOf({ events, gaps }: Lane): string {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return "Nothing was reported.";
  const longest = gaps.reduce((most, gap) => Math.max(most, gap.toMs - gap.fromMs), 0);
  const silent =
    gaps.length === 0
      ? "without a gap"
      : `with ${format.count(gaps.length)} ${gaps.length === 1 ? "gap" : "gaps"}, the longest of ${format.duration(longest)}`;
  const many = `${format.count(events.length)} ${events.length === 1 ? "event" : "events"}`;
  return `${many} from ${at(first.sentMs)} to ${at(last.sentMs)}, ${silent}.`;
}

function LanePanel({ lane, span: [from, to] }: { lane: Lane; span: readonly [number, number] }) {
  const host = useRef<HTMLDivElement>(null);
  const width = Math.max(0, useWidth(host) - 2 * EDGE);
  const x = (ms: number) => EDGE + ((ms - from) / (to - from)) * width;
  const summary = summaryOf(lane);
  const title = `Stats from node: ${format.visible(lane.sender)}`;
  const newest = lane.events.toReversed();
  const rest = newest.slice(ROWS);
  return (
    <section class="panel" aria-label={title} data-sender={lane.sender}>
      <h2 class="long">
        Stats from node: <bdi>{format.visible(lane.sender)}</bdi>
      </h2>
      <div ref={host} class="ribbon">
        <svg width="100%" height={HEIGHT} role="img" aria-label={summary}>
          <title>{summary}</title>
          <Hatch />
          <line class="lane" x1="0" x2="100%" y1={HEIGHT / 2} y2={HEIGHT / 2} />
          {width === 0
            ? null
            : lane.gaps.map((gap) => (
                <rect
                  key={gap.fromMs}
                  x={x(gap.fromMs)}
                  y="0"
                  width={x(gap.toMs) - x(gap.fromMs)}
                  height={HEIGHT}
                  fill="url(#hatched)"
                  data-gap={gap.fromMs}
                />
              ))}
          {width === 0
            ? null
            : lane.events.map((event) => (
                <circle
                  key={event.added}
                  class="lane-mark"
                  cx={x(event.sentMs)}
                  cy={HEIGHT / 2}
                  r={EDGE - 1}
                />
              ))}
        </svg>
      </div>
      <p class="summary">{summary}</p>
      <EventTable
        events={newest.slice(0, ROWS)}
        caption={`Newest events of ${format.visible(lane.sender)}`}
      />
      {rest.length === 0 ? null : (
        <details class="twin">
          <summary>{format.count(rest.length)} older events</summary>
          <EventTable events={rest} caption={`Older events of ${format.visible(lane.sender)}`} />
        </details>
      )}
    </section>
  );
}

function EventTable({ events, caption }: { events: readonly NodeEvent[]; caption: string }) {
  return (
    <table class="list">
      <caption class="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">Sent, {format.zoneWord()}</th>
          <th scope="col">Received</th>
          <th scope="col">Difference</th>
          <th scope="col">Event</th>
          <th scope="col">Message</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <tr key={event.added} data-node-event={event.added}>
            <th scope="row">
              <At at={iso(event.sentMs)} />
            </th>
            <td data-label="Received">
              <At at={iso(event.receivedMs)} />
            </td>
            <td data-label="Difference">{format.signed(event.receivedMs - event.sentMs)}</td>
            <td data-label="Event" class="long">
              {format.visible(event.event)}
            </td>
            <td data-label="Message" class="long">
              <bdi>{format.visible(event.message)}</bdi>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
