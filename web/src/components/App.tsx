import { useMemo } from "preact/hooks";
import { worstFirst } from "../rank";
import type { Envelope, History, Overview } from "../shapes";
import { history, overview, stale } from "../state";
import { Banners } from "./Banners";
import { Figures } from "./Figures";
import { Footer } from "./Footer";
import { LagChart } from "./LagChart";
import { Matrix } from "./Matrix";
import { MirrorTable } from "./MirrorTable";
import { TopBar } from "./TopBar";
import { Verdict } from "./Verdict";

export function App() {
  const { page, error } = overview.state.value;
  return (
    <>
      <TopBar />
      {page === null ? <Waiting error={error} /> : <Page page={page} />}
      <Footer meta={page?.meta ?? null} />
    </>
  );
}

/** Before the first page: what is happening, in words. */
function Waiting({ error }: { error: string | null }) {
  return (
    <main class="waiting">
      <h1>{error === null ? "Loading the latest snapshot…" : "The server gives no snapshot yet"}</h1>
      {error === null ? null : <p>Last answer: {error}. Trying again every few seconds.</p>}
    </main>
  );
}

function Page({ page }: { page: Envelope<Overview> }) {
  const { data, meta } = page;
  // One string stands for order and names, so that a new revision with the same mirrors redraws neither chart nor matrix.
  const key = JSON.stringify(worstFirst(data.mirrors).map((mirror) => [mirror.id, mirror.name]));
  const names = useMemo(() => new Map(JSON.parse(key) as [string, string][]), [key]);
  return (
    <main
      class={stale.value ? "stale" : undefined}
      data-revision={meta.revision}
      data-snapshot={meta.snapshot_id}
    >
      <Verdict data={data} meta={meta} />
      <Banners data={data} />
      <Figures data={data} />
      <MirrorTable data={data} />
      <HistoryPanels names={names} />
    </main>
  );
}

function HistoryPanels({ names }: { names: ReadonlyMap<string, string> }) {
  const { page, error } = history.state.value;
  if (names.size === 0) return null;
  if (page === null || page.data.t_unix_ms.length === 0) {
    return (
      <section class="panel">
        <h2>Coverage by interval</h2>
        <p class="hint">
          {error === null
            ? "The first interval appears here when it has been opened."
            : `History could not be read (${error}); trying again.`}
        </p>
      </section>
    );
  }
  return <Panels page={page} names={names} />;
}

/** The overview moves every second, these only with their own page: the same inputs give the same, untouched tree. */
function Panels({ page, names }: { page: Envelope<History>; names: ReadonlyMap<string, string> }) {
  return useMemo(
    () => (
      <div data-history-revision={page.meta.revision} class="history">
        <Matrix history={page.data} names={names} />
        <LagChart history={page.data} names={names} />
      </div>
    ),
    [page, names],
  );
}
