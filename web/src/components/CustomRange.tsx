import { useEffect, useRef, useState } from "preact/hooks";
import { spanText } from "../absent";
import { now } from "../clock";
import * as format from "../format";
import { history } from "../state";
import { custom, type Span, setCustom, zone } from "../view";

const MINUTE_MS = 60_000;
/** What the fields begin with: the last six hours. */
const USUAL_MS = 6 * 60 * MINUTE_MS;
/** Longest span that the server answers. */
const DAYS_MAX = 400;

/** An instant as a field has it, in the zone that is shown. */
function fieldText(ms: number): string {
  const offsetMs = zone.value === "UTC" ? 0 : new Date(ms).getTimezoneOffset() * MINUTE_MS;
  return new Date(ms - offsetMs).toISOString().slice(0, 19);
}

/** The instant that a field has; not a number where it has none. */
function fieldMs(field: HTMLInputElement | null): number {
  const text = field?.value ?? "";
  return Date.parse(zone.value === "UTC" ? `${text}Z` : text);
}

/** What is wrong with a span, in words; null where it can be asked for. */
export function objection({ fromMs, toMs }: Span, nowMs: number): string | null {
  if (Number.isNaN(fromMs) || Number.isNaN(toMs)) return "Both ends need a day and a time.";
  if (fromMs >= toMs) return "The end must be later than the begin.";
  if (toMs - fromMs > DAYS_MAX * 1440 * MINUTE_MS) return `At most ${DAYS_MAX} days are added up.`;
  return fromMs >= nowMs ? "The begin lies in the future." : null;
}

/** The ends of a span of one's own, and what is known of it. */
export function CustomRange() {
  const [problem, tell] = useState<string | null>(null);
  // The fields are filled when they open and when the address or the zone changes, never while somebody is typing.
  const [openedMs] = useState(() => Math.floor(now.peek() / MINUTE_MS) * MINUTE_MS);
  const [from, to] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  const { fromMs, toMs } = custom.value ?? { fromMs: openedMs - USUAL_MS, toMs: openedMs };
  useEffect(() => {
    if (from.current !== null) from.current.value = fieldText(fromMs);
    if (to.current !== null) to.current.value = fieldText(toMs);
    tell(custom.value === null ? null : objection(custom.value, now.peek()));
  }, [fromMs, toMs, zone.value]);
  useEffect(() => {
    // Whoever has just opened the fields goes on there; an address that has a span does not move anybody.
    if (custom.peek() === null) from.current?.focus();
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const span = { fromMs: fieldMs(from.current), toMs: fieldMs(to.current) };
    const wrong = objection(span, now.peek());
    tell(wrong);
    if (wrong === null) setCustom(span);
  };
  const shown = custom.value === null ? null : (history.value.state.value.page?.data ?? null);
  return (
    <section class="custom-range" aria-label="A time of your own choice">
      <form class="filters" onSubmit={submit} noValidate>
        <label class="filter">
          <span>From, {format.zoneWord()}</span>
          <input ref={from} type="datetime-local" name="from" step="1" />
        </label>
        <label class="filter">
          <span>To, {format.zoneWord()}</span>
          <input ref={to} type="datetime-local" name="to" step="1" />
        </label>
        <button type="submit" class="button">
          Show
        </button>
      </form>
      <p class={problem === null ? "hint" : "banner amber"} role="status" data-span-text>
        {problem ?? (shown === null ? "" : spanText(shown))}
      </p>
    </section>
  );
}
