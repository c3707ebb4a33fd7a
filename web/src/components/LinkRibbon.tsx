import { useRef } from "preact/hooks";
import { useAnswer } from "../answer";
import * as format from "../format";
import { type LinkSpan, linkSpans, upAndDown } from "../link-spans";
import { type Base, spanOf } from "../mirror-series";
import { spans } from "../plot-marks";
import type { Session, Sessions } from "../shapes";
import { words } from "../words";
import { Hatch } from "./Cdf";
import { At } from "./Ids";
import { Info } from "./Info";
import { ChartHead } from "./Twin";
import { Stale, Unanswered } from "./Unanswered";
import { useWidth } from "./width";

const EVERY_MS = 10_000;
const HEIGHT = 26;
/** As wide as the axis of the charts above, so that the times are below each other. */
const LEFT = 56;
/** Sessions that are shown at once. */
const ROWS = 8;

/** When the link was up, as a ribbon, and every session in words. */
export function LinkRibbon({ id, base }: { id: string; base: Base }) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}/sessions`;
  const { page, failure } = useAnswer<Sessions>(url, EVERY_MS);
  return (
    <section class="panel" aria-labelledby="link-title">
      <ChartHead id="link-title" json={url} hint="when its link was up, and what ended it">
        Link <Info about="connected" label="link" />
      </ChartHead>
      <Stale failure={page === null ? null : failure} />
      {page === null ? (
        <Unanswered what="its sessions" failure={failure} />
      ) : (
        <Body page={page.data} base={base} />
      )}
    </section>
  );
}

/** How far from the edge of the ribbon each state begins: a break stands out by its height too. */
const TOPS: Record<LinkSpan["state"], number> = { up: 6, down: 0, unlisted: 10 };

/** Breaks are drawn over what is beside them: most are shorter than a pixel. */
function breaksLast(a: LinkSpan, b: LinkSpan): number {
  return Number(a.state === "down") - Number(b.state === "down");
}

function summaryOf(page: Sessions, up: ReturnType<typeof upAndDown>): string {
  const [newest] = page.sessions;
  if (newest === undefined) return "Its link has never been up.";
  const share = up.upMs / (up.upMs + up.downMs);
  const interrupted =
    up.breaks === 0
      ? "without interruption"
      : `interrupted ${format.count(up.breaks)} ${up.breaks === 1 ? "time" : "times"}, in all for ${format.duration(up.downMs)}`;
  const now = newest.closed_at === null ? "up now" : "down now";
  return `In the time shown its link was up ${format.percent(share, 10_000)} of what is listed, ${interrupted}; ${now}.`;
}

function Body({ page, base }: { page: Sessions; base: Base }) {
  const host = useRef<HTMLDivElement>(null);
  const width = Math.max(0, useWidth(host) - LEFT);
  const [from, to] = spanOf(base);
  const shown = linkSpans(page.sessions, from, to);
  const summary = summaryOf(page, upAndDown(shown));
  const x = (ms: number) => LEFT + ((ms - from) / (to - from)) * width;
  return (
    <>
      <div ref={host} class="ribbon">
        <svg width="100%" height={HEIGHT} role="img" aria-label={summary}>
          <title>{summary}</title>
          <Hatch />
          {width === 0
            ? null
            : [...shown].sort(breaksLast).map((span) => {
                const top = TOPS[span.state];
                return (
                  <rect
                    key={span.fromMs}
                    class={`link-${span.state}`}
                    x={x(span.fromMs)}
                    y={top}
                    width={Math.max(span.state === "down" ? 3 : 0.5, x(span.toMs) - x(span.fromMs))}
                    height={HEIGHT - 2 * top}
                    data-span={span.state}
                  />
                );
              })}
          {width === 0
            ? null
            : spans(base).map(({ fromS, toS }) => (
                <rect
                  key={fromS}
                  x={x(fromS * 1000)}
                  y="0"
                  width={x(toS * 1000) - x(fromS * 1000)}
                  height={HEIGHT}
                  fill="url(#hatched)"
                />
              ))}
        </svg>
      </div>
      <ul class="cdf-legend">
        <li>
          <span class="link-swatch up" aria-hidden="true" /> up
        </li>
        <li>
          <span class="link-swatch down" aria-hidden="true" /> down
        </li>
        <li>
          <span class="link-swatch" aria-hidden="true" /> before what is listed
        </li>
      </ul>
      <p class="summary">{summary}</p>
      <SessionTable page={page} />
    </>
  );
}

function SessionTable({ page }: { page: Sessions }) {
  const [first, rest] = [page.sessions.slice(0, ROWS), page.sessions.slice(ROWS)];
  if (first.length === 0) return null;
  return (
    <>
      <SessionRows sessions={first} caption="Newest sessions" />
      {rest.length === 0 ? null : (
        <details class="twin">
          <summary>{format.count(rest.length)} more sessions</summary>
          <SessionRows sessions={rest} caption="Older sessions" />
        </details>
      )}
      {page.truncated ? <p class="hint">Older sessions are not listed.</p> : null}
    </>
  );
}

function lastedMs(session: Session): number | null {
  return session.closed_at === null ? null : Date.parse(session.closed_at) - Date.parse(session.opened_at);
}

function SessionRows({ sessions, caption }: { sessions: readonly Session[]; caption: string }) {
  return (
    <table class="list numbers">
      <caption class="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">Opened, {format.zoneWord()}</th>
          <th scope="col">Closed</th>
          <th scope="col">Was up for</th>
          <th scope="col">Ended by</th>
          <th scope="col">Reason</th>
          <th scope="col">Resumed from</th>
          <th scope="col">Caught up</th>
        </tr>
      </thead>
      <tbody>
        {sessions.map((session) => (
          <tr key={session.opened_at} data-session={session.opened_at}>
            <th scope="row">{format.dateTime(session.opened_at)}</th>
            <td data-label="Closed">
              {session.closed_at === null ? "still open" : <At at={session.closed_at} />}
            </td>
            <td data-label="Was up for">{format.duration(lastedMs(session))}</td>
            <td data-label="Ended by">{session.ended_by === null ? format.DASH : words(session.ended_by)}</td>
            <td data-label="Reason">
              {session.reason === null ? format.DASH : format.visible(session.reason)}
              {session.code === null ? "" : ` (${session.code})`}
            </td>
            <td data-label="Resumed from">
              {session.resumed_from === null ? "its end" : `no. ${format.count(session.resumed_from)}`}
            </td>
            <td data-label="Caught up">
              {session.is_caught_up ? "yes" : session.closed_at === null ? "not yet" : "no: a hole"}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
