import { useEffect, useMemo } from "preact/hooks";
import { visible } from "../format";
import { worstFirst } from "../rank";
import { type Route, route } from "../route";
import type { Envelope, History, Overview } from "../shapes";
import { history, overview, stale } from "../state";
import { Banners } from "./Banners";
import { ComparePage } from "./ComparePage";
import { DidPage } from "./DidPage";
import { Docs } from "./Docs";
import { EventsPage } from "./EventsPage";
import { Figures } from "./Figures";
import { Footer } from "./Footer";
import { InternalsPage } from "./InternalsPage";
import { LagChart } from "./LagChart";
import { Matrix } from "./Matrix";
import { MethodologyPage } from "./MethodologyPage";
import { MirrorPage } from "./MirrorPage";
import { MirrorTable } from "./MirrorTable";
import { MissesPage } from "./MissesPage";
import { OpPage } from "./OpPage";
import { TopBar } from "./TopBar";
import { Verdict } from "./Verdict";

export function App() {
  const { page } = overview.state.value;
  const at = route.value;
  useEffect(() => {
    document.title = title(at);
  }, [at]);
  return (
    <>
      <TopBar />
      <View at={at} />
      <Footer meta={page?.meta ?? null} />
    </>
  );
}

function title(at: Route): string {
  switch (at.page) {
    case "misses":
    case "compare":
    case "events":
    case "methodology":
    case "internals":
      return `${at.page} · mirrorwatch`;
    case "docs":
      return `${at.view === "api" ? "API" : "problems of the API"} · mirrorwatch`;
    case "mirror":
      return `${at.id} · mirrorwatch`;
    case "did":
      return `${at.did} · mirrorwatch`;
    case "op":
      return `operation …${at.cid.slice(-8)} · mirrorwatch`;
    default:
      return "mirrorwatch";
  }
}

function View({ at }: { at: Route }) {
  switch (at.page) {
    case "overview":
      return <OverviewPage />;
    case "misses":
      return <MissesPage query={at.query} />;
    case "mirror":
      return <MirrorPage key={at.id} id={at.id} />;
    case "did":
      return <DidPage key={at.did} did={at.did} />;
    case "op":
      return <OpPage key={at.cid} did={at.did} cid={at.cid} />;
    case "compare":
      return <ComparePage query={at.query} />;
    case "events":
      return <EventsPage query={at.query} />;
    case "methodology":
      return <MethodologyPage />;
    case "internals":
      return <InternalsPage />;
    case "docs":
      return <Docs view={at.view} />;
    case "nowhere":
      return <Nowhere path={at.path} />;
  }
}

/** An address that names nothing: which ones do. */
function Nowhere({ path }: { path: string }) {
  return (
    <main class="waiting" data-page="nowhere">
      <h1 tabIndex={-1}>There is no page here</h1>
      <p>
        <code class="long">{visible(path)}</code> names nothing: a DID is did:plc: and 24 characters a–z 2–7,
        an operation is a DID and its CID.
      </p>
      <p>
        <a href="/">Overview</a> · <a href="/misses">Misses</a>
      </p>
    </main>
  );
}

function OverviewPage() {
  const { page, error } = overview.state.value;
  return page === null ? <Waiting error={error} /> : <Page page={page} />;
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
