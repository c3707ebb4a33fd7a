import { useEffect, useMemo } from "preact/hooks";
import { visible } from "../format";
import { inRange } from "../in-range";
import { worstFirst } from "../rank";
import { type Route, route } from "../route";
import type { Envelope, History, Num, Overview } from "../shapes";
import { told } from "../shortcuts";
import { coverage, history, lag, overview, stale } from "../state";
import { isDefaultRange, zone } from "../view";
import { Banners } from "./Banners";
import { Figures } from "./Figures";
import { Footer } from "./Footer";
import { KeyHelp } from "./KeyHelp";
import { lazily } from "./lazily";
import { Matrix } from "./Matrix";
import { MirrorTable } from "./MirrorTable";
import { TopBar } from "./TopBar";
import { Verdict } from "./Verdict";

const VIEW = { isView: true };
const LivePage = lazily(() => import("./LivePage").then((m) => m.LivePage), VIEW);
const MissesPage = lazily(() => import("./MissesPage").then((m) => m.MissesPage), VIEW);
const MirrorPage = lazily(() => import("./MirrorPage").then((m) => m.MirrorPage), VIEW);
const DidPage = lazily(() => import("./DidPage").then((m) => m.DidPage), VIEW);
const OpPage = lazily(() => import("./OpPage").then((m) => m.OpPage), VIEW);
const ComparePage = lazily(() => import("./ComparePage").then((m) => m.ComparePage), VIEW);
const EventsPage = lazily(() => import("./EventsPage").then((m) => m.EventsPage), VIEW);
const Docs = lazily(() => import("./DocsPage").then((m) => m.DocsPage), VIEW);
const IncidentsPage = lazily(() => import("./IncidentsPage").then((m) => m.IncidentsPage), VIEW);
const IncidentPage = lazily(() => import("./IncidentsPage").then((m) => m.IncidentPage), VIEW);
const MethodologyPage = lazily(() => import("./MethodologyPage").then((m) => m.MethodologyPage), VIEW);
const InternalsPage = lazily(() => import("./InternalsPage").then((m) => m.InternalsPage), VIEW);
const NodesPage = lazily(() => import("./NodesPage").then((m) => m.NodesPage), VIEW);
const VantagesPage = lazily(() => import("./VantagesPage").then((m) => m.VantagesPage), VIEW);
const ReadinessPage = lazily(() => import("./ReadinessPage").then((m) => m.ReadinessPage), VIEW);
const PLACE = { class: "panel chart-place" };
const OverviewLag = lazily(() => import("./OverviewLag").then((m) => m.OverviewLag), PLACE);
const Propagation = lazily(() => import("./Propagation").then((m) => m.Propagation), PLACE);
const EventLanes = lazily(() => import("./EventLanes").then((m) => m.EventLanes), PLACE);
const RecentIncidents = lazily(() => import("./RecentIncidents").then((m) => m.RecentIncidents), PLACE);

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
      <KeyHelp />
      <p class={told.value === "" ? "visually-hidden" : "toast"} role="status">
        {told.value}
      </p>
    </>
  );
}

function title(at: Route): string {
  switch (at.page) {
    case "misses":
    case "compare":
    case "events":
    case "live":
    case "incidents":
    case "vantages":
    case "methodology":
    case "internals":
    case "nodes":
    case "readiness":
      return `${at.page} · mirrorwatch`;
    case "docs":
      return `${at.view === "api" ? "API" : "problems of the API"} · mirrorwatch`;
    case "mirror":
      return `${at.id} · mirrorwatch`;
    case "incident":
      return `incident ${at.id} · mirrorwatch`;
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
    case "live":
      return <LivePage query={at.query} />;
    case "incidents":
      return <IncidentsPage query={at.query} />;
    case "vantages":
      return <VantagesPage query={at.query} />;
    case "incident":
      return <IncidentPage key={at.id} id={at.id} />;
    case "methodology":
      return <MethodologyPage />;
    case "internals":
      return <InternalsPage />;
    case "nodes":
      return <NodesPage />;
    case "readiness":
      return <ReadinessPage />;
    case "docs":
      return <Docs key={at.view} view={at.view} />;
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

/** The overview as the range has it. */
function ranged(data: Overview): Overview {
  if (isDefaultRange.value) return data;
  return inRange(
    data,
    coverage.value.state.value.page?.data ?? null,
    lag.value.state.value.page?.data ?? null,
  );
}

function Page({ page }: { page: Envelope<Overview> }) {
  const { meta } = page;
  const data = ranged(page.data);
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
      <HistoryPanels names={names} noiseMs={noiseOf(data)} primary={data.primary.id} />
      <RecentIncidents />
    </main>
  );
}

/** Two digits of the largest uncertainty: it moves with every round trip, and the chart need not. */
function noiseOf({ mirrors }: Overview): Num {
  const known = mirrors.flatMap(({ lag: { uncertainty_ms } }) => uncertainty_ms ?? []);
  return known.length === 0 ? null : Number(Math.max(...known).toPrecision(2));
}

interface HistoryProps {
  names: ReadonlyMap<string, string>;
  noiseMs: Num;
  primary: string;
}

function HistoryPanels({ names, noiseMs, primary }: HistoryProps) {
  const { page, error } = history.value.state.value;
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
  return <Panels page={page} names={names} noiseMs={noiseMs} primary={primary} />;
}

/** The overview moves every second, these only with their own page: the same inputs give the same, untouched tree. */
function Panels({ page, names, noiseMs, primary }: HistoryProps & { page: Envelope<History> }) {
  return useMemo(
    () => (
      <div data-history-revision={page.meta.revision} class="history">
        <Matrix history={page.data} names={names} />
        <div class="pair">
          <OverviewLag history={page.data} names={names} noiseMs={noiseMs} />
          <Propagation />
        </div>
        <EventLanes history={page.data} names={names} primary={primary} />
      </div>
    ),
    [page, names, noiseMs, primary, zone.value],
  );
}
