/**
 * The controls and the charts of the page in a real browser, against a running server: `node tests/browser/charts.mjs
 * BASE_URL [OUT_DIR]`. Fails on any console error, breach of the page's policy, number that differs from the API's, key that
 * does not do what it says, or page that is too heavy. Writes screenshots to OUT_DIR. Exit 0 or 1.
 */
import { BASE_URL, check, close, comes, fits, open, picture, run, WAIT_MS } from "./harness.mjs";

const WIDE = { width: 1440, height: 1000 };
const NARROW = { width: 320, height: 720 };
/** Script and style of a first load, compressed with gzip, at most. */
const WEIGHT_MAX_BYTES = 80 * 1024;

async function api(path) {
  const response = await fetch(new URL(path, BASE_URL), { cache: "no-store" });
  return response.json();
}

/** What a first load of each view costs, charts and all. */
async function weight(browser, mirror) {
  for (const [path, ready] of [
    ["", ".history .plot canvas"],
    [`mirrors/${mirror}`, "#link-title"],
    ["incidents", "main[data-page=incidents] h1"],
  ]) {
    const page = await open(browser, { ...WIDE, path, ready });
    await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => undefined);
    const files = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map(({ name }) => name)
        .filter((name) => /\/assets\/.*\.(js|css)$/.test(name)),
    );
    let bytes = 0;
    for (const file of new Set(files)) {
      const response = await fetch(file, { headers: { "accept-encoding": "gzip" } });
      bytes += Number(response.headers.get("content-length"));
      await response.arrayBuffer();
    }
    check(
      files.length >= 2 && bytes > 10_000 && bytes <= WEIGHT_MAX_BYTES,
      `/${path} weighs ${bytes} bytes of ${WEIGHT_MAX_BYTES} in ${files.length} files`,
    );
    await close(page, `the weight of /${path}`);
  }
}

async function ranges(browser) {
  const page = await open(browser, { ...WIDE, timezoneId: "Asia/Tokyo" });
  await page.click(".segments button:has-text('24')");
  check(await comes(page, () => location.search === "?range=24h"), "a range stands in the address");
  const id = (await api("/api/v1/overview")).data.mirrors[0].id;
  await page.waitForSelector(`tr[data-source="${id}"] [data-figure=missed]:not([data-value=null])`, {
    timeout: WAIT_MS,
  });
  const shown = await page.$$eval("tr[data-source] [data-figure=missed]", (cells) =>
    cells.map((cell) => [cell.closest("tr").dataset.source, Number(cell.dataset.value)]),
  );
  const told = new Map(
    (await api("/api/v1/analytics/coverage?window=24h")).data.mirrors.map((m) => [
      m.id,
      m.coverage.counts.missed,
    ]),
  );
  check(
    shown.length > 0 && shown.every(([mirror, missed]) => Math.abs(told.get(mirror) - missed) <= 5),
    `figures of 24 h are the API's a moment later ${JSON.stringify(shown)}`,
  );
  const label = await page.textContent(".figure:first-child dt");
  check(/24.h/.test(label), "a figure says which range it is of");
  check(
    await comes(
      page,
      () => document.querySelectorAll(".matrix [role=row]:first-child [data-cell]").length < 80,
    ),
    "a day is shown in no more cells than there is room for",
  );
  await page.keyboard.press("]");
  check(await comes(page, () => location.search === "?range=7d"), "a key looks back farther");
  await page.goBack();
  await page.goBack();
  check(await comes(page, () => location.search === ""), "back leads to the range before");
  const axis = () => page.$$eval(".matrix-axis .tick span", (all) => all.map((e) => e.textContent).join());
  const utc = await axis();
  await page.keyboard.press("u");
  check(
    await comes(
      page,
      () => location.search === "?tz=local" && document.querySelector("[data-zone=local]") !== null,
    ),
    "the zone stands in the address",
  );
  check((await axis()) !== utc, "times are those of the zone");
  await page.click(".views a[href='/misses']");
  check(await comes(page, () => location.search === "?tz=local"), "the zone goes along to other views");
  await close(page, "ranges");
}

async function keys(browser) {
  const context = { permissions: ["clipboard-read", "clipboard-write"], acceptDownloads: true };
  const page = await open(browser, { ...WIDE, ...context });
  await page.keyboard.press("?");
  check(
    await comes(page, () => document.querySelector("dialog.help[open]")?.checkVisibility()),
    "? shows the keys",
  );
  check((await page.$$("dialog.help dt")).length >= 12, "all of them");
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  check(new URL(page.url()).pathname === "/", "a dialog keeps its keys");
  await page.keyboard.press("Escape");
  check(await comes(page, () => document.querySelector("dialog.help[open]") === null), "Escape closes them");
  await page.keyboard.press("c");
  await page.waitForSelector(".toast", { timeout: WAIT_MS });
  check((await page.evaluate(() => navigator.clipboard.readText())) === page.url(), "c copies the link");
  await page.keyboard.press("g");
  await page.keyboard.press("i");
  check(await comes(page, () => location.pathname === "/incidents"), "g i leads to the incidents");
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.waitForSelector(".matrix [data-cell][tabindex='0']", { timeout: WAIT_MS });
  await page.locator(".matrix [data-cell][tabindex='0']").focus();
  await page.keyboard.press("Enter");
  check(
    await comes(page, () => location.pathname.startsWith("/mirrors/")),
    "Enter in the matrix opens its mirror",
  );
  await close(page, "keys");
}

async function searches(browser) {
  const op = (await api("/api/v1/ops?verdict=missed&limit=1")).data.ops[0];
  const page = await open(browser, WIDE);
  const find = async (text) => {
    await page.keyboard.press("/");
    await page.keyboard.type(text);
    await page.keyboard.press("Enter");
  };
  await find("gm?tu nobody");
  check(
    await comes(page, () => /No mirror is called/.test(document.querySelector("#search-said").textContent)),
    "what is not found is said, and a field keeps its keys",
  );
  check(new URL(page.url()).pathname === "/", "and nothing else happens");
  await page.fill("#search", "");
  await page.keyboard.press("Escape");
  await find(op.did);
  check(await comes(page, (did) => location.pathname === `/did/${did}`, op.did), "a DID is found");
  await find(op.mirror);
  check(await comes(page, (id) => location.pathname === `/mirrors/${id}`, op.mirror), "a mirror is found");
  await find(op.cid);
  check(
    await comes(
      page,
      (cid) => location.pathname.startsWith("/op/") && location.pathname.endsWith(cid),
      op.cid,
    ),
    "a CID that was missed is found without its DID",
  );
  await close(page, "search");
}

/** Every picture has its sentence, its twin and its addresses. */
async function described(page, name) {
  const pictures = await page.$$eval("main [role=img]", (all) =>
    all.map((e) => e.getAttribute("aria-label") ?? ""),
  );
  check(
    pictures.length > 0 && pictures.every((label) => label.length > 20),
    `${name}: ${pictures.length} pictures have a sentence each ${JSON.stringify(pictures.filter((l) => l.length <= 20))}`,
  );
  const without = await page.$$eval("main section.panel", (all) =>
    all
      .filter((panel) => panel.querySelector(".plot, .cdf, .ribbon, .ages, .lanes") !== null)
      .filter(
        (panel) => panel.querySelector("table, .twin") === null || panel.querySelector("a.json") === null,
      )
      .map((panel) => panel.getAttribute("aria-labelledby")),
  );
  check(without.length === 0, `${name}: every chart has a table and an address ${without}`);
  const others = await page.$$eval(".chart-head .formats", (all) =>
    all
      .map((formats) => [...formats.querySelectorAll("a")].map((link) => link.getAttribute("href")))
      .filter(([csv, json]) => csv?.replace(".csv", "") !== json),
  );
  check(others.length === 0, `${name}: every chart leads to the table of its own figures ${others}`);
  const dead = await page.$$eval("a[data-csv]", (links) => links.map((link) => link.href));
  for (const href of dead) {
    const response = await fetch(href);
    check(
      response.status === 200 && /^text\/csv/.test(response.headers.get("content-type")),
      `${href} is a file (${response.status})`,
    );
    await response.arrayBuffer();
  }
}

async function ofAMirror(browser, id) {
  const page = await open(browser, { ...WIDE, path: `mirrors/${id}`, ready: "[data-session]" });
  for (const title of ["misses", "lag", "freshness", "rtt"])
    await page.waitForSelector(`[aria-labelledby=${title}-title] canvas`, { timeout: WAIT_MS });
  await page.waitForSelector("[data-timed]", { timeout: WAIT_MS });
  await page.waitForSelector("[data-side=missing]", { timeout: WAIT_MS });
  const near = (a, b) => Math.abs(a - b) <= Math.max(60, 0.1 * b);
  const lag = (await api(`/api/v1/mirrors/${id}/lag?window=1h`)).data;
  const timed = Number(await page.getAttribute("[data-timed]", "data-timed"));
  check(timed > 0 && near(timed, lag.lag.n), `distribution: ${timed} operations, the API says ${lag.lag.n}`);
  const held = (await api("/api/v1/slo")).data.mirrors.find((mirror) => mirror.id === id).objectives[0];
  await page.waitForSelector("[data-figure=good-coverage]", { timeout: WAIT_MS });
  const good = await page.getAttribute("[data-figure=good-coverage]", "data-value");
  check(
    Math.abs(Number(good) - (held.good_ratio ?? 0)) < 0.02,
    `budget: ${good} is good, the API says ${held.good_ratio}`,
  );
  await page.waitForSelector("[data-readiness]", { timeout: WAIT_MS });
  const criteria = (await api(`/api/v1/mirrors/${id}/readiness`)).data.criteria.map(
    (criterion) => criterion.id,
  );
  const listed = await page.$$eval("[data-criterion]", (all) => all.map((e) => e.dataset.criterion));
  check(String(listed) === String(criteria), `every criterion is told: ${listed}`);
  const windows = (await api(`/api/v1/mirrors/${id}/windows?resolution=5m`)).data;
  const missed = Number(await page.getAttribute("[data-missed]", "data-missed"));
  const toldMissed = windows.missed.reduce((sum, n) => sum + (n ?? 0), 0);
  check(near(missed, toldMissed), `misses: ${missed} in all bars, the API says ${toldMissed}`);
  const sessions = (await api(`/api/v1/mirrors/${id}/sessions`)).data.sessions;
  const rows = await page.$$eval("[data-session]", (all) => all.map((row) => row.dataset.session));
  check(
    rows.length > 0 && rows.every((at) => sessions.some((session) => session.opened_at === at)),
    `sessions: ${rows.length} rows are the API's`,
  );
  const cells = await page.$$eval("[data-side]", (all) =>
    all.map((row) => row.querySelectorAll("td").length),
  );
  check(cells.join() === "8,8", "divergence: eight cells each way");
  await page.click("[aria-labelledby=misses-title] .twin summary");
  const places = "[aria-labelledby=misses-title] .plain tbody tr";
  await page.waitForSelector(places, { timeout: WAIT_MS });
  // Intervals go on beginning while the page is looked at: both are asked until they are of one time.
  const counted = async () => [
    await page.$$eval(places, (all) => all.length),
    (await api(`/api/v1/mirrors/${id}/windows?resolution=5m`)).data.t_unix_ms.length,
  ];
  let [twin, asked] = await counted();
  for (const end = Date.now() + WAIT_MS; twin !== asked && Date.now() < end; )
    [twin, asked] = await counted();
  check(twin === asked, `misses: the table has ${twin} intervals, the API ${asked}`);
  await page.click("[aria-labelledby=misses-title] .twin summary");
  await described(page, "mirror");
  await fits(page, "mirror with charts, 1440 px");
  await picture(page, "mirror-charts-light-1440");
  await page.emulateMedia({ media: "print" });
  await fits(page, "mirror, printed");
  await picture(page, "mirror-printed");
  await close(page, "mirror's charts");
}

/** Colours of the system's choice, no motion, and the width of 400 % zoom. */
async function adapted(browser, mirror) {
  for (const [path, ready] of [
    ["", ".history .plot canvas"],
    [`mirrors/${mirror}`, "[data-session]"],
  ]) {
    const name = path === "" ? "overview" : "mirror";
    for (const [how, more] of [
      ["forced colours", { forcedColors: "active", reducedMotion: "reduce" }],
      ["dark", { colorScheme: "dark" }],
    ]) {
      const page = await open(browser, { ...NARROW, path, ready, ...more });
      await fits(page, `${name}, 320 px, ${how}`);
      await picture(page, `${name}-charts-${how.replace(" ", "-")}-320`);
      await close(page, `${name}, ${how}`);
    }
  }
  const before = await happened();
  const page = await open(browser, { ...WIDE, ready: ".history .plot canvas" });
  await page.waitForSelector("[data-propagation]", { timeout: WAIT_MS });
  await page.waitForSelector("[data-open-incidents]", { timeout: WAIT_MS });
  await page.waitForSelector("[data-lane] [data-mark]", { timeout: WAIT_MS });
  await lanes(page, before);
  await described(page, "overview");
  await page.emulateMedia({ media: "print" });
  await fits(page, "overview, printed");
  await picture(page, "overview-printed");
  await close(page, "overview's charts");
}

async function happened() {
  return (await api("/api/v1/events")).data.events.map(({ text }) => text);
}

/** What happened: a lane for each source, and every mark is an event that the API told before or tells after. */
async function lanes(page, before) {
  const { primary, mirrors } = (await api("/api/v1/overview")).data;
  const shown = await page.$$eval("[data-lane]", (all) => all.map((lane) => lane.dataset.lane));
  const sources = ["observer", primary.id, ...mirrors.map(({ id }) => id)];
  check(shown.toSorted().join() === sources.toSorted().join(), `lanes: ${shown} are the sources`);
  const marks = await page.$$eval("[data-mark]", (all) => all.map((mark) => mark.textContent));
  const told = [...before, ...(await happened())];
  const unknown = marks.filter((mark) => !told.some((text) => mark.includes(text)));
  check(unknown.length === 0, `lanes: ${marks.length} marks are events of the API ${unknown.slice(0, 3)}`);
}

async function incidents(browser) {
  const { data } = await api("/api/v1/incidents");
  check(data.incidents.length > 0, `there are ${data.incidents.length} incidents to look at`);
  const page = await open(browser, { ...WIDE, path: "incidents", ready: "[data-incident]" });
  const shown = await page.$$eval("[data-incident]", (all) => all.map((row) => row.dataset.incident));
  const known = new Set(data.incidents.map(({ id }) => id));
  check(
    known.size > 0 && [...known].every((id) => shown.includes(id)),
    `incidents: ${shown.length} are the API's`,
  );
  await picture(page, "incidents-light-1440");
  await page.click(`[data-incident="${shown[0]}"] .what a`);
  check(
    await comes(page, () => document.querySelectorAll("[data-change]").length > 0),
    "incidents: one of them tells how it went",
  );
  await picture(page, "incident-light-1440");
  await close(page, "incidents");
}

await run("charts", async (browser) => {
  const { data } = await api("/api/v1/overview");
  const lossy = data.mirrors.find((mirror) => mirror.coverage.counts.missed > 0);
  check(lossy !== undefined, "a mirror lacks something to look at");
  await weight(browser, lossy.id);
  await ranges(browser);
  await keys(browser);
  await searches(browser);
  await ofAMirror(browser, lossy.id);
  await adapted(browser, lossy.id);
  await incidents(browser);
});
