/**
 * The views of the whole in a real browser, against a running server: two hosts side by side, events, formulas, internals,
 * what explains a figure; and every view by the rules of axe: `node tests/browser/views.mjs BASE_URL [OUT_DIR]`. Fails on
 * any console error, breach of the page's policy, number that differs from the API's, or finding of axe. Exit 0 or 1.
 */
import { accessible } from "./axe.mjs";
import { BASE_URL, check, close, comes, fits, open, picture, run, WAIT_MS } from "./harness.mjs";

const WIDE = { width: 1440, height: 1000 };
const NARROW = { width: 320, height: 720 };

async function api(path) {
  const response = await fetch(new URL(path, BASE_URL), { cache: "no-store" });
  return response.json();
}

async function compared(browser) {
  const { data } = await api("/api/v1/overview");
  const lossy = data.mirrors.find((mirror) => mirror.coverage.counts.missed > 0);
  check(lossy !== undefined, "a mirror lacks something to compare");
  const query = `a=${data.primary.id}&b=${lossy.id}&window=1h`;
  const page = await open(browser, { ...WIDE, path: `compare?${query}`, ready: "[data-both]" });
  const shown = await page.$eval("[data-both]", (e) => ({ ...e.dataset }));
  const told = (await api(`/api/v1/compare?${query}`)).data;
  const [both, only] = [Number(shown.both), Number(shown.onlyA)];
  check(
    both > 0 &&
      both <= told.both_ops &&
      only > 0 &&
      only <= told.only_a_ops &&
      Number(shown.onlyB) <= told.only_b_ops,
    `compare: ${both} of both and ${only} of one are the API's a moment later (${told.both_ops}, ${told.only_a_ops})`,
  );
  check((await page.$$("tr[data-op]")).length > 0, "compare: what only one has is listed");
  await fits(page, "compare, 1440 px");
  await picture(page, "compare-light-1440");
  await page.click("button:has-text('Swap')");
  check(
    await comes(page, (id) => new URLSearchParams(location.search).get("a") === id, lossy.id),
    "compare: swapped, in the address too",
  );
  await page.goBack();
  check(
    await comes(page, (id) => document.querySelector("[data-filter=b]")?.value === id, lossy.id),
    "compare: back takes it back",
  );
  await close(page, "compare");
}

/** How often figures that a late operation changed meanwhile are looked at again. */
const TRIES_MAX = 5;

/** The misses of all mirrors, or of one, in a range. */
async function missedIn(query, id) {
  const { data } = await api(`/api/v1/analytics/coverage?${query}`);
  const rows = data.mirrors.filter((mirror) => id === undefined || mirror.id === id);
  return rows.reduce((sum, mirror) => sum + mirror.coverage.counts.missed, 0);
}

/** Whether the page shows the API's number, where that was the same before and after the page was loaded. */
async function showsMissed(page, figure, query, id) {
  const has = ([name, value]) => document.querySelector(`[data-figure=${name}]`)?.dataset.value === value;
  for (let tried = 0; tried < TRIES_MAX; tried += 1) {
    const before = await missedIn(query, id);
    await page.reload();
    if (await comes(page, has, [figure, String(before)])) return true;
    if ((await missedIn(query, id)) === before) return false;
  }
  return false;
}

/** A range of one's own is chosen by keys, stands in the address, and its figures are the API's, also after a reload. */
async function ownRange(browser) {
  const toMs = Math.floor(Date.now() / 1000) * 1000 - 15_000;
  const [from, to] = [toMs - 1_800_000, toMs].map((ms) => new Date(ms).toISOString());
  // A field leaves seconds away that are none.
  const field = (iso) => iso.slice(0, 19).replace(/:00$/, "");
  const query = new URLSearchParams({ from, to }).toString();
  const page = await open(browser, { ...WIDE, path: "", ready: "[data-figure=missed]" });
  await page.focus("button:has-text('Custom')");
  await page.keyboard.press("Enter");
  check(
    await comes(page, () => document.activeElement?.getAttribute("name") === "from"),
    "own range: its fields open and have the focus",
  );
  await page.fill("[name=from]", field(from));
  await page.fill("[name=to]", field(to));
  await page.press("[name=to]", "Enter");
  check(
    await comes(page, (asked) => location.search === `?range=custom&${asked}`, query),
    "own range: it stands in the address",
  );
  check(
    await showsMissed(page, "missed", query),
    "own range: the overview has the API's number after a reload",
  );
  check(
    await comes(page, () => document.querySelector("[data-span-text]")?.textContent.startsWith("Shown is ")),
    "own range: it is said what is shown",
  );
  // Propagation has windows of its own, and lists go as far back as they are held.
  const links = await page.$$eval("main a[data-csv][href*='/analytics/']", (all) =>
    all.map((link) => link.getAttribute("href")),
  );
  check(
    links.length > 0 && links.every((href) => href.endsWith(`?${query}`)),
    `own range: CSV of it: ${links}`,
  );
  await accessible(page, "own range");
  await picture(page, "own-range-light-1440");
  const { data } = await api("/api/v1/overview");
  const lossy = data.mirrors.find((mirror) => mirror.coverage.counts.missed > 0);
  await page.click(`tr[data-source="${lossy.id}"] a[href^="/mirrors/"]`);
  check(
    await comes(page, ([id, asked]) => location.href.endsWith(`/mirrors/${id}?range=custom&${asked}`), [
      lossy.id,
      query,
    ]),
    "own range: it goes along to a mirror's page",
  );
  check(
    await showsMissed(page, "range-missed", query, lossy.id),
    "own range: the mirror's page has the API's number",
  );
  check(
    await comes(
      page,
      (asked) => document.querySelector(`a[href*="/windows"][href*="${asked}"]`) !== null,
      query,
    ),
    "own range: the mirror's charts are of it",
  );
  await page.setViewportSize(NARROW);
  await fits(page, "own range, 320 px");
  await picture(page, "own-range-light-320");
  await page.goBack();
  await page.goBack();
  check(
    await comes(page, () => location.search === "" && document.querySelector("[data-range='6h']") !== null),
    "own range: back takes it back",
  );
  await close(page, "own range");
}

async function events(browser) {
  const told = async () => (await api("/api/v1/events")).data.events.map((event) => String(event.id));
  const before = await told();
  const page = await open(browser, { ...WIDE, path: "events", ready: "[data-event]" });
  const shown = await page.$$eval("[data-event]", (rows) => rows.map((row) => row.dataset.event));
  const after = await told();
  // What is shown was told between the two: nothing else, and nothing of both is left out.
  const known = new Set([...before, ...after]);
  const always = before.filter((id) => after.includes(id));
  check(
    shown.length > 0 && shown.every((id) => known.has(id)) && always.every((id) => shown.includes(id)),
    `events: ${shown.length} are the API's`,
  );
  await page.selectOption("[data-filter=source]", "dropping");
  check(
    await comes(page, () => location.search === "?source=dropping"),
    "events: a filter stands in the address",
  );
  check(
    await comes(page, () => {
      const who = [...document.querySelectorAll("[data-event] .who")].map((e) => e.textContent);
      return who.length > 0 && who.every((name) => name === "dropping");
    }),
    "events: a filter holds for every row",
  );
  await picture(page, "events-light-1440");
  await close(page, "events");
}

async function formulas(browser) {
  const page = await open(browser, { ...WIDE, path: "methodology#lag", ready: "#lag" });
  const shown = await page.$$eval("[data-formula]", (rows) => rows.map((row) => row.dataset.formula));
  const told = (await api("/api/v1/methodology")).data.formulas.map((formula) => formula.id);
  check(shown.join() === told.join(), `methodology: ${shown.length} formulas are the API's`);
  check(
    await comes(page, () => document.getElementById("lag").getBoundingClientRect().top < innerHeight),
    "methodology: the address leads to its formula",
  );
  await picture(page, "methodology-light-1440");
  await close(page, "methodology");
}

async function internals(browser) {
  const page = await open(browser, { ...WIDE, path: "internals", ready: "[data-recomputer]" });
  const shown = await page.$$eval("[data-recomputer]", (rows) => rows.map((row) => row.dataset.recomputer));
  const told = (await api("/api/v1/internals")).data.recomputers.map((row) => row.name);
  check(shown.join() === told.join(), `internals: ${shown.length} recomputers are the API's`);
  await picture(page, "internals-light-1440");
  await close(page, "internals");
}

/** Every mirror at every observer, by key and in another window too. */
async function vantages(browser) {
  const page = await open(browser, { ...WIDE, path: "vantages", ready: "[data-at]" });
  const told = (await api("/api/v1/vantages")).data;
  const names = (attribute) =>
    page.$$eval(`[data-${attribute}]`, (all, name) => all.map((e) => e.dataset[name]), attribute);
  const [mirrors, observers] = [await names("mirror"), await names("vantage")];
  check(
    mirrors.join() === told.mirrors.map((mirror) => mirror.url).join() && observers.join() === told.own,
    `vantages: ${mirrors.length} mirrors at ${observers.join()} are the API's`,
  );
  check(
    (await page.getAttribute("[data-primary]", "data-primary")) === "not_compared",
    "vantages: one alone compares nothing",
  );
  await page.selectOption("[data-filter=window]", "24h");
  check(
    await comes(page, () => new URLSearchParams(location.search).get("window") === "24h"),
    "vantages: the window stands in the address",
  );
  await page.focus("section.scroller");
  check(
    await comes(page, () => document.activeElement?.matches("section.scroller")),
    "vantages: what scrolls is reached by key",
  );
  await picture(page, "vantages-light-1440");
  await close(page, "vantages");
}

/** The documents of the API have every address of the document, and each opens with its command and what it answers. */
async function docs(browser) {
  const document = await api("/api/v1/openapi.json");
  const page = await open(browser, { ...WIDE, path: "docs#lag", ready: "[data-endpoint]" });
  const shown = await page.$$eval("[data-endpoint]", (all) => all.map((e) => e.dataset.endpoint));
  const told = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  check(
    shown.toSorted().join() === told.toSorted().join(),
    `docs: ${shown.length} addresses are the document's`,
  );
  check(
    await comes(page, () => document.querySelector("#lag[open] .members") !== null),
    "docs: the address leads to its entry, which is open",
  );
  const command = await page.textContent("#lag .command");
  check(
    command === `curl -s '${BASE_URL}api/v1/analytics/lag?window=1h'`,
    `docs: the command asks this server: ${command}`,
  );
  await page.click("#lag .deeper > summary");
  check(
    await comes(page, () => document.querySelector("#lag .deeper .members") !== null),
    "docs: members open where they are looked at",
  );
  await accessible(page, "docs with an open entry");
  await picture(page, "docs-light-1440");
  await close(page, "docs");
  const errors = await open(browser, { ...WIDE, path: "docs/errors#bad_window", ready: "[data-code]" });
  const { type } = await api("/api/v1/analytics/lag?window=5y");
  check(
    type === "/docs/errors#bad_window" && (await errors.$("#bad_window")) !== null,
    `docs: the type of a problem leads to it: ${type}`,
  );
  await close(errors, "problems");
}

/** Each ⓘ tells the formula of the methodology and the command of its number. */
async function explained(browser) {
  const page = await open(browser, WIDE);
  const ids = new Set((await api("/api/v1/methodology")).data.formulas.map((formula) => formula.id));
  const summaries = await page.$$("details.info > summary");
  check(summaries.length >= 12, `${summaries.length} figures explain themselves`);
  for (const summary of summaries)
    await summary.evaluate((element) => element.parentElement.setAttribute("open", ""));
  await page.waitForSelector(".explains [data-formula]", { timeout: WAIT_MS });
  const shown = await page.$$eval(".explains", (all) =>
    all.map((e) => [
      e.querySelector("[data-formula]")?.dataset.formula,
      e.querySelector("a").getAttribute("href"),
      e.querySelector(".command").textContent,
    ]),
  );
  const wrong = shown.filter(
    ([id, href, command]) =>
      !ids.has(id) || href !== `/methodology#${id}` || !command.startsWith(`curl -s '${BASE_URL}api/`),
  );
  check(wrong.length === 0, `every explanation has its formula and its command ${JSON.stringify(wrong)}`);
  const addresses = new Set(shown.map(([, , command]) => command.split("'")[1]));
  for (const address of addresses) {
    const { status } = await fetch(address);
    check(status === 200, `${address} answers ${status}`);
  }
  await close(page, "explanations");
}

async function everywhere(browser) {
  const op = (await api("/api/v1/ops?verdict=missed&limit=1")).data.ops[0];
  const views = [
    ["", "main[data-revision] h1"],
    ["misses", "[data-list]"],
    ["compare", "[data-both]"],
    ["events", "[data-event]"],
    ["methodology", "[data-formula]"],
    ["internals", "[data-recomputer]"],
    ["readiness", "[data-criterion]"],
    ["incidents", "main[data-page=incidents] .hint"],
    ["vantages", "[data-at]"],
    ["docs", "[data-endpoint]"],
    ["docs/errors", "[data-code]"],
    [`mirrors/${op.mirror}`, "[data-session]"],
    [`did/${op.did}`, ".side-by-side tbody tr"],
    [`op/${op.did}/${op.cid}`, ".strip tbody tr"],
  ];
  for (const [path, ready] of views) {
    const name = path === "docs/errors" ? "problems" : path.split("/")[0] || "overview";
    for (const [size, colorScheme] of [
      [WIDE, "light"],
      [NARROW, "dark"],
    ]) {
      const page = await open(browser, { ...size, colorScheme, path, ready });
      await accessible(page, `${name}, ${size.width} px, ${colorScheme}`);
      await fits(page, `${name}, ${size.width} px`);
      if (size === NARROW) await picture(page, `${name}-dark-320`);
      await close(page, name);
    }
  }
}

/** Each mirror as an overview tells it. */
function asTold({ data }) {
  return data.mirrors
    .map(({ name, state, coverage: { counts } }) =>
      [name, state.replaceAll("_", " "), counts.missed, "of", counts.decided].join(" "),
    )
    .join();
}

/**
 * The document for readers without scripts says the same, in a browser that runs none. It is published just before the
 * overview of its revision: looked at while that is the same, it is of this revision or of the next.
 */
async function status(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: NARROW });
  const page = await context.newPage();
  const overview = () => api("/api/v1/overview");
  const deadline = Date.now() + WAIT_MS;
  let [before, after, shown] = [];
  do {
    before = await overview();
    await page.goto(new URL("status", BASE_URL).href);
    const rows = await page.$$eval("tbody tr", (all) =>
      all.map((row) => [...row.querySelectorAll("th, td")].map((cell) => cell.textContent)),
    );
    shown = rows.map(([name, state, , missed]) => `${name} ${state} ${missed}`).join();
    after = await overview();
  } while (before.meta.revision !== after.meta.revision && Date.now() < deadline);
  let next = after;
  while (next.meta.revision === after.meta.revision && Date.now() < deadline) {
    await page.waitForTimeout(50);
    next = await overview();
  }
  const told = [after, next].map(asTold);
  check(
    shown !== "" && told.includes(shown),
    `status: the mirrors are the API's: ${shown}; ${told.join("; ")}`,
  );
  await fits(page, "status, 320 px");
  await picture(page, "status-light-320");
  await context.close();
}

await run("views", async (browser) => {
  await status(browser);
  await compared(browser);
  await ownRange(browser);
  await events(browser);
  await formulas(browser);
  await internals(browser);
  await vantages(browser);
  await docs(browser);
  await explained(browser);
  await everywhere(browser);
});
