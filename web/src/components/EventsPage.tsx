import { useAnswer } from "../answer";
import * as format from "../format";
import { go, paths } from "../route";
import type { EventRow, Events } from "../shapes";
import { overview } from "../state";
import { tableOf } from "../table-of";
import { words } from "../words";
import { Choice } from "./Choice";
import { MirrorLink, mirrorName } from "./Ids";
import { Stale, Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";

const URL_OF = "/api/v1/events";
const EVERY_MS = 3_000;
/** What stands for the observer among the sources, in the address. */
export const OBSERVER = "observer";

/** What happened, newest first: of every source, and of the observer itself. */
export function EventsPage({ query }: { query: string }) {
  const { page, failure } = useAnswer<Events>(URL_OF, EVERY_MS);
  const filters = new URLSearchParams(query);
  const [source, kind] = [filters.get("source") ?? "", filters.get("kind") ?? ""];
  return (
    <main data-page="events">
      <ViewHead title="What happened" json={URL_OF} csv={tableOf(URL_OF)} />
      <section class="panel" aria-label="The list">
        <Stale failure={page === null ? null : failure} />
        {page === null ? (
          <Unanswered what="the events" failure={failure} />
        ) : (
          <List events={page.data} source={source} kind={kind} />
        )}
      </section>
    </main>
  );
}

/** Whether an event is of what is asked for; an empty filter asks for all. */
export function fits(event: EventRow, source: string, kind: string): boolean {
  return (source === "" || (event.source ?? OBSERVER) === source) && (kind === "" || event.kind === kind);
}

function sourceName(id: string): string {
  if (id === OBSERVER) return "the observer";
  return mirrorName(id);
}

function List({ events, source, kind }: { events: Events; source: string; kind: string }) {
  const all = events.events;
  const shown = all.filter((event) => fits(event, source, kind));
  const primary = overview.state.value.page?.data.primary.id;
  return (
    <>
      <fieldset class="filters">
        <legend class="visually-hidden">Filters of the list</legend>
        <Choice
          label="Of"
          name="source"
          value={source}
          choices={choices(
            all.map((event) => event.source ?? OBSERVER),
            sourceName,
          )}
          set={(value) => set(value, kind)}
        />
        <Choice
          label="What"
          name="kind"
          value={kind}
          choices={choices(
            all.map((event) => event.kind),
            words,
          )}
          set={(value) => set(source, value)}
        />
      </fieldset>
      <p class="hint" role="status" data-count={shown.length}>
        {shown.length === 0
          ? "Nothing of what is remembered fits these filters."
          : `${format.nOfN(shown.length, all.length)} shown, newest first`}
        ; the last {format.count(events.kept_in_memory)} are remembered.
      </p>
      {shown.length === 0 ? null : (
        <ol class="events">
          {shown.map((event) => (
            <li key={event.id} data-event={event.id}>
              <time dateTime={event.at} title={event.at}>
                {format.dateTime(event.at)}
              </time>
              <span class="who">
                {event.source === null ? (
                  "the observer"
                ) : event.source === primary ? (
                  <bdi>{format.visible(event.source)}</bdi>
                ) : (
                  <MirrorLink id={event.source} />
                )}
              </span>
              <span>
                <b>{format.visible(words(event.kind))}</b> {format.visible(event.text)}
              </span>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

function set(source: string, kind: string): void {
  const given = Object.entries({ source, kind }).filter(([, value]) => value !== "");
  go(paths.events(Object.fromEntries(given)));
}

/** Everything, and each of what there is once. */
function choices(of: readonly string[], text: (value: string) => string) {
  const each = [...new Set(of)].sort();
  return [["", "all"] as const, ...each.map((value) => [value, format.visible(text(value))] as const)];
}
