import { useAnswer } from "../answer";
import * as format from "../format";
import { go } from "../route";
import { tableOf } from "../table-of";
import type {
  MirrorAtVantage,
  Vantage,
  VantageFigures,
  VantageMirror,
  VantageMiss,
  Vantages,
} from "../vantage-shapes";
import { mirrorState, SHAPES, type StateWord, type Tone, words } from "../words";
import { BlockDifference } from "./BlockDifference";
import { Choice } from "./Choice";
import { Shape } from "./Shape";
import { Stale, Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";
import "../styles/vantages.css";

const URL_OF = "/api/v1/vantages";
const EVERY_MS = 10_000;
const WINDOWS = ["1h", "6h", "24h"] as const;
const DEFAULT_WINDOW = "6h";

function worded(tone: Tone, word: string): StateWord {
  return { tone, shape: SHAPES[tone], word, rank: 0 };
}

const BLAMES: Record<string, StateWord> = {
  mirror: worded("missed", "the mirror loses"),
  path: worded("late", "one path loses"),
  paths: worded("late", "some paths lose"),
  alone: worded("unknown", "one vantage alone"),
  awaited: worded("pending", "awaited"),
  nobody: worded("ok", "nothing to blame"),
};
const STATES: Record<string, StateWord> = {
  ok: worded("ok", "well"),
  impaired: worded("late", "impaired"),
  warming_up: worded("pending", "warming up"),
  silent: worded("unknown", "silent"),
  no_data: worded("unknown", "nothing told yet"),
};
const PRIMARY: Record<string, StateWord> = {
  same: worded("ok", "same primary"),
  differs: worded("diverged", "the primary differs"),
  not_compared: worded("pending", "not compared yet"),
};

const word = (known: Record<string, StateWord>, value: string) =>
  known[value] ?? worded("unknown", words(value));

/** What several observers saw of the same mirrors. */
export function VantagesPage({ query }: { query: string }) {
  const { page, failure } = useAnswer<Vantages>(URL_OF, EVERY_MS);
  const window = new URLSearchParams(query).get("window") ?? DEFAULT_WINDOW;
  return (
    <main data-page="vantages">
      <ViewHead title="Vantages" json={URL_OF} csv={tableOf(URL_OF)} />
      {failure?.status === 404 ? (
        <Nobody />
      ) : (
        <>
          <Stale failure={page === null ? null : failure} />
          {page === null ? (
            <Unanswered what="what other observers see" failure={failure} />
          ) : (
            <Body page={page.data} window={window} />
          )}
        </>
      )}
    </main>
  );
}

/** Without others: how there may be some. */
function Nobody() {
  return (
    <section class="panel" aria-label="How to begin" data-empty>
      <p>This observer watches alone. Several of them compare what they see once each has a name:</p>
      <pre class="command">{'"nodes": { "id": "paris-1", "region": "eu", "tokens": [ … ] }'}</pre>
      <p class="hint">
        <code>mirrorwatch token</code> makes a token and its hash; the README says what it lets its user do.
      </p>
    </section>
  );
}

function Body({ page, window }: { page: Vantages; window: string }) {
  return (
    <>
      <p class="banner" data-primary={page.primary.state}>
        <Shape state={word(PRIMARY, page.primary.state)} /> {format.visible(page.primary.text)}.
      </p>
      {page.primary.differing.map((block) => (
        <BlockDifference key={`${block.primary} ${block.first_seq}`} block={block} />
      ))}
      <Observers all={page.vantages} />
      <Matrix page={page} window={window} />
      {page.mirrors
        .filter((mirror) => mirror.misses.length > 0)
        .map((mirror) => (
          <Misses key={mirror.url} mirror={mirror} />
        ))}
    </>
  );
}

function Observers({ all }: { all: readonly Vantage[] }) {
  return (
    <section class="panel" aria-labelledby="observers-title">
      <div class="panel-head">
        <h2 id="observers-title">Who observes</h2>
      </div>
      <ul class="vantages">
        {all.map((vantage) => (
          <li
            key={vantage.id}
            data-vantage={vantage.id}
            class={vantage.state === "ok" ? undefined : "is-impaired"}
          >
            <strong>{format.visible(vantage.id)}</strong>
            {vantage.is_own ? " (this one)" : ""}
            {vantage.region === null ? "" : ` · ${format.visible(vantage.region)}`}{" "}
            <Shape state={word(STATES, vantage.state)} />
            {vantage.flags.length > 0 ? ` ${vantage.flags.map(words).map(format.visible).join(", ")}` : ""}
            <span class="sub">
              {vantage.headline === null ? "" : format.visible(vantage.headline)}
              {vantage.overview_age_s === null
                ? ""
                : ` (${format.duration(vantage.overview_age_s * 1000)} ago)`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const figuresOf = (of: { figures: VantageFigures[] } | undefined, window: string) =>
  of?.figures.find((figures) => figures.window === window);

function Matrix({ page: { vantages, mirrors }, window }: { page: Vantages; window: string }) {
  return (
    <section class="panel" aria-labelledby="matrix-title">
      <div class="panel-head">
        <h2 id="matrix-title">Mirrors at vantages</h2>
        <span class="hint">
          missed of decided; <a href="/methodology#agreement">whom a miss is held against</a>
        </span>
      </div>
      <fieldset class="filters">
        <legend class="visually-hidden">Window of the figures</legend>
        <Choice
          label="Over"
          name="window"
          value={window}
          choices={WINDOWS.map((name) => [name, name] as const)}
          set={(value) => go(`/vantages?${new URLSearchParams({ window: value })}`, true)}
        />
      </fieldset>
      {mirrors.length === 0 ? (
        <p class="hint">No vantage has told of a mirror yet; each does once a minute.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by key
        <section class="scroller" tabIndex={0} aria-label="The table">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Mirror</th>
                <th scope="col">All together</th>
                {vantages.map(({ id }) => (
                  <th scope="col" key={id}>
                    {format.visible(id)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {mirrors.map((mirror) => (
                <Row key={mirror.url} mirror={mirror} vantages={vantages} window={window} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

interface RowProps {
  mirror: VantageMirror;
  vantages: readonly Vantage[];
  window: string;
}

function Row({ mirror, vantages, window }: RowProps) {
  // Where nothing was decided and nothing is missed there is nothing to say, not even something good.
  const isJudged = mirror.verdict !== "nobody" || mirror.figures.some(({ decided }) => decided > 0);
  return (
    <tr data-mirror={mirror.url}>
      <th scope="row" data-label="Mirror">
        {format.visible(mirror.name ?? mirror.url)}
        <span class="sub">{format.visible(mirror.url)}</span>
      </th>
      <td data-label="All together" data-verdict={mirror.verdict} title={mirror.why}>
        <Shape state={isJudged ? word(BLAMES, mirror.verdict) : worded("unknown", "not judged yet")} />
        <Numbers figures={figuresOf(mirror, window)} />
      </td>
      {vantages.map((vantage) => (
        <Cell
          key={vantage.id}
          vantage={vantage}
          at={mirror.vantages.find(({ id }) => id === vantage.id)}
          window={window}
        />
      ))}
    </tr>
  );
}

function Cell({
  vantage,
  at,
  window,
}: {
  vantage: Vantage;
  at: MirrorAtVantage | undefined;
  window: string;
}) {
  const impaired = vantage.state === "ok" ? undefined : "is-impaired";
  if (at === undefined) {
    return (
      <td data-label={vantage.id} class={impaired} data-at={vantage.id}>
        <Shape state={worded("unknown", "not watched")} />
      </td>
    );
  }
  const state =
    at.missed_by_path_ops > 0
      ? worded("late", `its path loses ${format.count(at.missed_by_path_ops)}`)
      : at.state === null
        ? worded("unknown", "no state yet")
        : mirrorState(at.state);
  return (
    <td
      data-label={vantage.id}
      class={impaired}
      data-at={vantage.id}
      title={at.headline === null ? undefined : format.visible(at.headline)}
    >
      <Shape state={state} />
      <Numbers figures={figuresOf(at, window)} />
    </td>
  );
}

function Numbers({ figures }: { figures: VantageFigures | undefined }) {
  if (figures === undefined || figures.decided === 0) return <span class="sub">nothing final yet</span>;
  const { missed, decided, lag } = figures;
  return (
    <>
      <span class="sub">{format.nOfN(missed, decided)} missed</span>
      <span class="sub">p95 {format.lag(lag.p95_ms, lag.uncertainty_ms)}</span>
    </>
  );
}

function Misses({ mirror }: { mirror: VantageMirror }) {
  const title = `misses-${mirror.url.replaceAll(/[^a-z0-9]/g, "-")}`;
  return (
    <section class="panel" aria-labelledby={title}>
      <div class="panel-head">
        <h2 id={title}>Missed at {format.visible(mirror.name ?? mirror.url)}</h2>
        <span class="hint">
          {format.visible(mirror.why)}
          {mirror.truncated ? "; the newest are listed" : ""}
        </span>
      </div>
      <ul class="vantages">
        {mirror.misses.map((miss) => (
          <Miss key={`${miss.did} ${miss.cid}`} miss={miss} />
        ))}
      </ul>
    </section>
  );
}

function Miss({ miss }: { miss: VantageMiss }) {
  const names = (of: readonly string[]) => of.map(format.visible).join(", ");
  const parts = [
    ["missing at", names(miss.missing)],
    ["there at", names(miss.having)],
    ["awaited from", names(miss.awaited)],
    ["no voice", names(miss.silent.map(({ id, why }) => `${id} (${words(why)})`))],
  ].filter(([, of]) => of !== "");
  return (
    <li data-blame={miss.blame}>
      <Shape state={word(BLAMES, miss.blame)} /> <a href={`/op/${miss.did}/${miss.cid}`}>{miss.did}</a>
      <span class="sub">
        {format.dateTime(miss.primary_at)} · {parts.map(([name, of]) => `${name} ${of}`).join(" · ")}
      </span>
    </li>
  );
}
