/** When a link was up, as spans on a time axis. */
import type { Session } from "./shapes";

export interface LinkSpan {
  fromMs: number;
  toMs: number;
  /** `unlisted`: before the oldest session that is listed. */
  state: "up" | "down" | "unlisted";
  /** What ended the session before, where the link is down. */
  endedBy: string | null;
}

/** Sessions (newest first) as spans between `fromMs` and `toMs`, oldest first, without overlap or hole. */
export function linkSpans(sessions: readonly Session[], fromMs: number, toMs: number): LinkSpan[] {
  const spans: LinkSpan[] = [];
  const add = (from: number, to: number, state: LinkSpan["state"], endedBy: string | null) => {
    const [a, b] = [Math.max(from, fromMs), Math.min(to, toMs)];
    if (b > a) spans.push({ fromMs: a, toMs: b, state, endedBy });
  };
  let at = fromMs;
  let before: Session | null = null;
  for (const session of sessions.toReversed()) {
    const opened = Date.parse(session.opened_at);
    const closed = session.closed_at === null ? toMs : Date.parse(session.closed_at);
    add(at, opened, before === null ? "unlisted" : "down", before?.ended_by ?? null);
    add(Math.max(at, opened), closed, "up", null);
    at = Math.max(at, closed);
    before = session;
  }
  add(at, toMs, before === null ? "unlisted" : "down", before?.ended_by ?? null);
  return spans;
}

/** How much of what is listed the link was up: milliseconds up, and down. */
export function upAndDown(spans: readonly LinkSpan[]): { upMs: number; downMs: number; breaks: number } {
  const total = (state: LinkSpan["state"]) =>
    spans.filter((span) => span.state === state).reduce((sum, span) => sum + span.toMs - span.fromMs, 0);
  return {
    upMs: total("up"),
    downMs: total("down"),
    breaks: spans.filter(({ state }) => state === "down").length,
  };
}
