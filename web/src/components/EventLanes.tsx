import { useRef } from "preact/hooks";
import { useAnswer } from "../answer";
import { type Lane, lanesOf, lanesSummary, listedFrom, type Mark, OBSERVER_LANE } from "../event-lanes";
import * as format from "../format";
import { spanOf } from "../mirror-series";
import { spans } from "../plot-marks";
import { paths } from "../route";
import type { Events, History } from "../shapes";
import { SHAPES } from "../words";
import { Hatch } from "./Cdf";
import { ChartHead, Twin } from "./Twin";
import { Stale, Unanswered } from "./Unanswered";
import { useWidth } from "./width";

const URL_OF = "/api/v1/events";
const EVERY_MS = 10_000;
const HEIGHT = 22;
/** How far from the edge of its lane the line of a link's step begins: a failure stands out by its height too. */
const FAILED_TOP = 1;
const UP_TOP = 8;

interface Props {
  history: History;
  /** The mirrors, worst first. */
  names: ReadonlyMap<string, string>;
  primary: string;
}

/** What happened over the time that the matrix shows, a lane for each source. */
export function EventLanes({ history, names, primary }: Props) {
  const { page, failure } = useAnswer<Events>(URL_OF, EVERY_MS);
  return (
    <section class="panel" aria-labelledby="lanes-title">
      <ChartHead id="lanes-title" json={URL_OF} hint="in the time of the matrix above">
        What happened
      </ChartHead>
      <Stale failure={page === null ? null : failure} />
      {page === null ? (
        <Unanswered what="the events" failure={failure} />
      ) : (
        <Lanes events={page.data} history={history} names={names} primary={primary} />
      )}
    </section>
  );
}

function Lanes({ events: { events, kept_in_memory }, history, names, primary }: Props & { events: Events }) {
  const host = useRef<HTMLSpanElement>(null);
  const width = useWidth(host);
  const base = {
    times: history.t_unix_ms,
    resolutionS: history.resolution_s,
    impaired: history.impaired,
  };
  const [from, to] = spanOf(base);
  const lanes = lanesOf(events, [primary, ...names.keys()], [from, to]);
  const summary = lanesSummary(lanes);
  const x = (ms: number) => ((ms - from) / (to - from)) * width;
  const listed = listedFrom(events, kept_in_memory, from);
  const hatched = spans(base).map(({ fromS, toS }) => [fromS * 1000, toS * 1000] as const);
  return (
    <>
      <ol class="lanes">
        {lanes.map((lane, index) => (
          <li key={lane.id} data-lane={lane.id}>
            <a href={paths.events({ source: lane.id })}>
              <bdi>{nameOf(lane.id, names, primary)}</bdi>
            </a>
            <span ref={index === 0 ? host : null} class="lane">
              <svg
                width="100%"
                height={HEIGHT}
                role="img"
                aria-label={laneText(lane, nameOf(lane.id, names, primary))}
              >
                <Hatch />
                {listed > from ? (
                  <rect
                    class="link-unlisted"
                    x="0"
                    y={UP_TOP}
                    width={x(listed)}
                    height={HEIGHT - 2 * UP_TOP}
                  />
                ) : null}
                {hatched.map(([begin, end]) => (
                  <rect
                    key={begin}
                    x={x(begin)}
                    y="0"
                    width={x(end) - x(begin)}
                    height={HEIGHT}
                    fill="url(#hatched)"
                  />
                ))}
                {width === 0
                  ? null
                  : lane.marks.map((mark) => <Drawn key={mark.id} mark={mark} x={x(Date.parse(mark.at))} />)}
              </svg>
            </span>
          </li>
        ))}
      </ol>
      <Legend isCut={listed > from} />
      <p class="summary">
        {summary} <a href="/events">All that is remembered</a>
      </p>
      <Twin
        caption="What happened in the time shown, newest first"
        head={["Number", "Of", "When", "What"]}
        rows={() => rowsOf(lanes, (id) => nameOf(id, names, primary))}
      />
    </>
  );
}

function nameOf(id: string, names: ReadonlyMap<string, string>, primary: string): string {
  if (id === OBSERVER_LANE) return "the observer";
  if (id === primary) return "the primary";
  return format.visible(names.get(id) ?? id);
}

/** Newest first, as in the list of events. */
function rowsOf(lanes: readonly Lane[], name: (id: string) => string): string[][] {
  const all = lanes.flatMap(({ id, marks }) => marks.map((mark) => ({ ...mark, of: name(id) })));
  return all
    .sort((a, b) => b.id - a.id)
    .map(({ id, of, at, text }) => [String(id), of, format.dateTime(at), format.visible(text)]);
}

function laneText({ marks }: Lane, name: string): string {
  const newest = marks.at(-1);
  if (newest === undefined) return `${name}: nothing happened in the time shown`;
  return `${name}: ${format.count(marks.length)} ${marks.length === 1 ? "event" : "events"}, the newest: ${format.visible(newest.text)}`;
}

/** A change of state is its shape, a step of a link a line, anything else a square. */
function Drawn({ mark: { what, state, text, at }, x }: { mark: Mark; x: number }) {
  const title = <title>{`${format.dateTime(at)}: ${format.visible(text)}`}</title>;
  if (what === "state" && state !== null)
    return (
      <text class={`lane-state tone-${state.tone}`} x={x} y={HEIGHT / 2} data-mark={what}>
        {state.shape}
        {title}
      </text>
    );
  if (what === "link") {
    const isUp = state?.tone === "ok" || state?.tone === "late";
    const top = isUp ? UP_TOP : FAILED_TOP;
    return (
      <rect
        class={isUp ? "link-up" : "link-down"}
        x={x - 1}
        y={top}
        width="2"
        height={HEIGHT - 2 * top}
        data-mark={what}
      >
        {title}
      </rect>
    );
  }
  return (
    <rect class="lane-other" x={x - 3} y={HEIGHT / 2 - 3} width="6" height="6" data-mark={what}>
      {title}
    </rect>
  );
}

function Legend({ isCut }: { isCut: boolean }) {
  return (
    <ul class="cdf-legend">
      <li>
        <span aria-hidden="true">
          {SHAPES.ok} {SHAPES.late} {SHAPES.missed}
        </span>{" "}
        a mirror's new state
      </li>
      <li>
        <span class="link-swatch down" aria-hidden="true" /> a link failed
      </li>
      <li>
        <span class="link-swatch up lane-up" aria-hidden="true" /> it is up
      </li>
      <li>
        <span class="lane-swatch" aria-hidden="true" /> anything else
      </li>
      {isCut ? (
        <li>
          <span class="link-swatch" aria-hidden="true" /> before what is remembered
        </li>
      ) : null}
    </ul>
  );
}
