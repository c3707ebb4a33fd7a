/**
 * The page of operations as they come, in a real browser, against a running server whose directory publishes when it is told:
 * `node tests/browser/live.mjs BASE_URL [OUT_DIR]`. A line "#…" on the output asks whoever started this to do something; a line on
 * the input says that it is done. Fails on any console error, breach of the page's policy, number that differs from what was
 * published, or finding of axe. Exit 0 or 1.
 */
import { createConnection, createServer } from "node:net";
import { createInterface } from "node:readline";
import { accessible } from "./axe.mjs";
import { BASE_URL, check, close, comes, fits, open, picture, run, WAIT_MS } from "./harness.mjs";

const WIDE = { width: 1440, height: 1000 };
const NARROW = { width: 320, height: 720 };
const LIVE = "[data-status=live]";
const ROWS = "tr[data-op]";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has something done at the directory: `publish N`, `drop MIRROR N`, `settle`. */
async function have(what) {
  console.log(`#${what}`);
  const { value, done } = await answers.next();
  if (done || value !== "done") throw new Error(`${what}: ${value ?? "nobody answers"}`);
}

async function api(path) {
  return (await (await fetch(new URL(path, BASE_URL), { cache: "no-store" })).json()).data;
}

const numbers = (page) => page.$$eval(ROWS, (rows) => rows.map((row) => Number(row.dataset.op)));
const newest = async (page) => (await numbers(page))[0] ?? -1;

async function newerThan(page, number) {
  return comes(
    page,
    (than) => Number(document.querySelector("tr[data-op]")?.dataset.op ?? -1) > than,
    number,
  );
}

/** Whether the newest row stays what it is while operations come. */
async function staysWhile(page, number) {
  await have("publish 3");
  await page.waitForTimeout(700);
  return (await newest(page)) === number;
}

async function rowsCome(page) {
  await page.evaluate(() => {
    window.sameDocument = true;
  });
  const before = await newest(page);
  await have("publish 5");
  const came = await comes(
    page,
    (first) => Number(document.querySelector("tr[data-op]")?.dataset.op ?? -1) >= first + 5,
    before,
  );
  check(came && (await page.evaluate(() => window.sameDocument === true)), "rows appear without a reload");
  const shown = await numbers(page);
  check(
    shown.every((number, i) => i === 0 || number < shown[i - 1]),
    `${shown.length} rows, newest first`,
  );
}

/** Every cell is what the API says of that operation at that mirror. */
async function cellsEqual(page) {
  await have("drop dropping 1");
  await have("publish 1");
  await have("settle");
  const settled = await comes(page, () => {
    const all = [...document.querySelectorAll("td[data-verdict]")].map((cell) => cell.dataset.verdict);
    return all.filter((word) => word === "missed").length === 1 && !all.includes("pending");
  });
  check(settled, "every arrival is decided, and one is missed");
  const { ops, mirrors } = await api("/api/v1/ops/recent");
  const shown = await page.$$eval("tr[data-op]", (rows) =>
    rows.map((row) => [
      Number(row.dataset.op),
      row.dataset.kind,
      [...row.querySelectorAll("[data-verdict]")].map((cell) => cell.dataset.verdict),
      row.querySelectorAll("a[href^='/did/']").length + row.querySelectorAll("a[href^='/op/']").length,
    ]),
  );
  const told = ops.map((op) => [op.number, op.kind, op.verdicts, 2]);
  check(
    JSON.stringify(shown) === JSON.stringify(told),
    `${shown.length} rows with ${mirrors.length} arrivals each are the API's`,
  );
  const missed = page.locator("td[data-verdict=missed]").first();
  check(/✕.*missed/.test(await missed.innerText()), "a miss is a shape and a word");
}

async function filtersHold(page) {
  await page.selectOption("[data-filter=state]", "missed");
  const one = await comes(page, () => document.querySelectorAll("tr[data-op]").length === 1);
  check(
    one && page.url().endsWith("/live?state=missed"),
    "a state stands in the address, and one row fits it",
  );
  await page.selectOption("[data-filter=state]", "");
  const kind = (await api("/api/v1/ops/recent")).ops.at(-1).kind;
  await page.selectOption("[data-filter=kind]", kind);
  const only = await comes(
    page,
    (of) => {
      const kinds = [...document.querySelectorAll("tr[data-op]")].map((row) => row.dataset.kind);
      return kinds.length > 0 && kinds.every((each) => each === of);
    },
    kind,
  );
  check(only && page.url().endsWith(`/live?kind=${kind}`), `a filter holds: ${kind} alone`);
  await page.selectOption("[data-filter=kind]", "");
  await page.selectOption("[data-filter=mirror]", "faithful");
  check(
    await comes(
      page,
      () =>
        document.querySelectorAll("tr[data-op] td[data-mirror]").length > 0 &&
        document.querySelector("td[data-mirror=dropping]") === null,
    ),
    "one mirror alone is shown",
  );
  await page.selectOption("[data-filter=mirror]", "");
}

async function pauseHolds(page) {
  await page.evaluate(() => document.activeElement?.blur());
  await page.mouse.move(5, 5);
  await page.keyboard.press("Space");
  const before = await newest(page);
  check(await staysWhile(page, before), "paused by the space bar, the rows stay");
  const words = await page.locator("[data-status]").innerText();
  check(/paused/.test(words), `what is read out says so: "${words.trim()}"`);
  check(await comes(page, () => /3.newer wait/.test(document.body.innerText)), "what waits is counted");
  await page.click("[data-pause]");
  check(await newerThan(page, before), "resumed by the button, the newest come");
  await page.locator(ROWS).first().hover();
  const held = await newest(page);
  check(await staysWhile(page, held), "pointed at, the rows stay");
  await page.mouse.move(5, 5);
  check(await newerThan(page, held), "pointed at no more, the newest come");
  await page.locator(`${ROWS} a`).first().focus();
  const focused = await newest(page);
  check(await staysWhile(page, focused), "while a row has the keyboard, the rows stay");
  await page.locator("[data-pause]").focus();
  check(await newerThan(page, focused), "and they go on when it has left");
  await page.keyboard.press("Enter");
  check(
    await comes(page, () => document.querySelector("[data-pause]")?.getAttribute("aria-pressed") === "true"),
    "the button works by keyboard",
  );
  await page.keyboard.press("Enter");
}

/** At most four changes a second are drawn, and nothing of a row is read out. */
async function calm(page) {
  await page.evaluate(() => {
    window.drawn = 0;
    let pending = false;
    new MutationObserver(() => {
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => {
        pending = false;
        window.drawn += 1;
      });
    }).observe(document.querySelector("table.live tbody"), { childList: true });
  });
  const begun = Date.now();
  while (Date.now() - begun < 2_000) {
    await have("publish 5");
    await page.waitForTimeout(60);
  }
  const [drawn, seconds] = [await page.evaluate(() => window.drawn), (Date.now() - begun) / 1000];
  check(
    drawn > 0 && drawn <= seconds * 4 + 2,
    `${drawn} changes drawn in ${seconds.toFixed(1)} s: four a second at most`,
  );
  const inRows = await page.$$eval(
    "table.live [aria-live], table.live [role=status], table.live [role=log]",
    (all) => all.length,
  );
  check(inRows === 0, "nothing of a row is read out");
}

const direct = (page) =>
  page.$$eval("tr[data-direct-host]", (rows) =>
    rows.map((row) => ({
      id: row.dataset.directHost,
      events: Number(row.dataset.events),
      of: Number(row.dataset.of),
      came: Number(row.dataset.came),
      kinds: [...row.querySelectorAll("[data-of-kind]")]
        .map((cell) => Number(cell.textContent))
        .reduce((sum, n) => sum + n, 0),
    })),
  );

async function comparesDirectly(page, opened) {
  const sources = () => opened.filter((url) => url.endsWith("/export/stream"));
  check(sources().length === 0, "no host is connected to before the reader wants it");
  check(
    /will see your address/.test(await page.innerText("main")),
    "he is told that they will see his address",
  );
  await page.locator("[data-direct]").focus();
  await page.keyboard.press("Enter");
  const all = await comes(page, () => document.querySelectorAll("[data-phase=open]").length === 3);
  check(all && sources().length === 3, `the primary and both mirrors are open: ${sources().join(" ")}`);
  await have("publish 10");
  await have("drop dropping 2");
  await have("publish 4");
  const counted = await comes(page, () => {
    const of = (id, name) => Number(document.querySelector(`[data-direct-host=${id}]`)?.dataset[name]);
    return of("primary", "events") === 14 && of("faithful", "came") === 14 && of("dropping", "came") === 12;
  });
  const rows = await direct(page);
  check(counted, `14 were published, one mirror dropped 2: ${JSON.stringify(rows)}`);
  check(
    rows.every((row) => row.kinds === row.events && row.of === 14),
    "every operation has its kind",
  );
  await picture(page, "live-direct-light-1440");
  await page.click("[data-direct]");
  await have("publish 2");
  await page.waitForTimeout(700);
  check((await direct(page))[0].events === 14, "stopped, it counts no more");
}

/** Only the live page may connect to the sources, and it to nobody else. */
async function confined(browser) {
  const { primary } = await api("/api/v1/overview");
  const refused = (page, url) =>
    page.evaluate(
      (to) =>
        new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
          try {
            new WebSocket(to).onopen = () => resolve("open");
          } catch (error) {
            resolve(String(error));
          }
        }),
      url,
    );
  const expected = /Content Security Policy|connect-src/;
  const overview = await open(browser, { ...WIDE, expected });
  const stream = `${primary.url}/export/stream`;
  check((await refused(overview, stream)) === "connect-src", "the overview may not connect to a source");
  await overview.context().close();
  const live = await open(browser, { ...WIDE, path: "live", ready: LIVE, expected });
  check(
    (await refused(live, "ws://127.0.0.1:9/")) === "connect-src",
    "the live page may not connect to others",
  );
  await live.context().close();
}

/** Another view is another document, with the policy of its own. */
async function leaves(page) {
  await page.evaluate(() => {
    window.sameDocument = true;
  });
  await page.click("nav.views a[href='/']");
  await page.waitForSelector("main[data-revision] h1", { timeout: WAIT_MS });
  check(
    await page.evaluate(() => window.sameDocument === undefined),
    "leaving it leads to a document of its own",
  );
  await page.goBack();
  await page.waitForSelector(LIVE, { timeout: WAIT_MS });
  check(page.url().endsWith("/live"), "back leads back");
}

/** Of the overview's table only the cells that changed are touched and marked, and none is marked while it is pointed at. */
async function marks(browser) {
  const page = await open(browser, { ...WIDE });
  await page.waitForSelector("[data-live=live]", { timeout: WAIT_MS });
  await page.mouse.move(5, 5);
  await page.evaluate(() => {
    const cells = [...document.querySelectorAll("table.mirrors td, table.mirrors tbody th")];
    const before = new Map(cells.map((cell) => [cell, cell.outerHTML]));
    const touched = new Set();
    new MutationObserver((records) => {
      for (const { target } of records) {
        const cell = (target instanceof Element ? target : target.parentElement)?.closest("td, th");
        if (cell) touched.add(cell);
      }
    }).observe(document.querySelector("table.mirrors"), {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
    });
    window.cells = () => ({
      touched: touched.size,
      idle: [...touched].filter((cell) => before.has(cell) && before.get(cell) === cell.outerHTML).length,
      all: cells.length,
      same: cells.every((cell) => cell.isConnected),
      marked: [...document.querySelectorAll("table.mirrors [class^=mark-]")].map((e) => e.className).join(),
    });
  });
  await have("settle");
  const marked = await comes(page, () => window.cells().marked !== "");
  const { touched, idle, all, same } = await page.evaluate(() => window.cells());
  check(
    marked && same && touched > 0 && touched < all && idle === 0,
    `overview: of ${all} cells ${touched} are touched, all of which changed, and marked`,
  );
  await page.hover("table.mirrors tbody tr >> nth=1");
  const held = (await page.evaluate(() => window.cells())).marked;
  const revision = await page.evaluate(() => Number(document.querySelector("main").dataset.revision));
  await have("settle");
  await comes(page, (than) => Number(document.querySelector("main").dataset.revision) > than + 1, revision);
  check(
    (await page.evaluate(() => window.cells())).marked === held,
    "overview: pointed at, nothing new is marked",
  );
  await close(page, "overview");
}

/** A line to the server that can be cut: for the page, the server is gone then. */
async function cuttable() {
  const { hostname, port } = new URL(BASE_URL);
  const sockets = new Set();
  const make = () =>
    createServer((near) => {
      const far = createConnection({ host: hostname, port: Number(port) });
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  let server = make();
  const listen = (at) => new Promise((resolve) => server.listen(at, "127.0.0.1", resolve));
  await listen(0);
  const at = server.address().port;
  return {
    url: `http://127.0.0.1:${at}/`,
    cut() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    async mend() {
      server = make();
      await listen(at);
    },
  };
}

async function goneAndBack(browser) {
  const line = await cuttable();
  const expected = /Failed to load resource|WebSocket connection to/;
  const page = await open(browser, { ...WIDE, path: line.url, expected });
  const live = await open(browser, { ...WIDE, path: `${line.url}live`, ready: LIVE, expected });
  await page.waitForSelector("[data-live=live]", { timeout: WAIT_MS });
  const before = await newest(live);
  line.cut();
  check(
    await comes(live, () =>
      /Connection lost, reconnecting/.test(document.querySelector("[data-status]").textContent),
    ),
    "live: the server is gone, and it is told",
  );
  check(
    await comes(live, () =>
      /is .* old, try \d/.test(document.querySelector("[data-age-s]")?.textContent ?? ""),
    ),
    "live: with the age of what is shown",
  );
  check((await newest(live)) === before, "live: what was known stays");
  check(
    await comes(page, () =>
      /Last update .* ago — reconnecting \(\d+\)/.test(document.querySelector("[data-age]").textContent),
    ),
    "overview: the server is gone, and it is told",
  );
  check(
    await comes(page, () => document.querySelector("main.stale table.mirrors tbody tr") !== null),
    "overview: old figures stay, greyed",
  );
  const revision = () => Number(document.querySelector("main").dataset.revision);
  const old = await page.evaluate(revision);
  await have("publish 3");
  await line.mend();
  check(
    await comes(
      page,
      (than) => Number(document.querySelector("main:not(.stale)")?.dataset.revision) > than,
      old,
    ),
    "overview: back again, the figures are new",
  );
  check(await comes(page, () => document.querySelector("[data-live=live]") !== null), "overview: and live");
  check(await newerThan(live, before), "live: back again, the newest are there");
  check(await comes(live, () => document.querySelector("[data-status=live]") !== null), "live: and live");
  await page.context().close();
  await live.context().close();
  line.cut();
}

await run("live", async (browser) => {
  const opened = [];
  const page = await open(browser, { ...WIDE, path: "live", ready: LIVE });
  page.on("websocket", (socket) => opened.push(socket.url()));
  await page.reload();
  await page.waitForSelector(ROWS, { timeout: WAIT_MS });
  await rowsCome(page);
  await cellsEqual(page);
  await filtersHold(page);
  await pauseHolds(page);
  await calm(page);
  await fits(page, "live, 1440 px");
  await picture(page, "live-light-1440");
  await comparesDirectly(page, opened);
  await accessible(page, "live, 1440 px, light");
  await leaves(page);
  await close(page, "live");

  const narrow = await open(browser, { ...NARROW, colorScheme: "dark", path: "live", ready: ROWS });
  await narrow.click("[data-direct]");
  await narrow.waitForSelector("[data-phase=open]", { timeout: WAIT_MS });
  await fits(narrow, "live, 320 px");
  await accessible(narrow, "live, 320 px, dark");
  await picture(narrow, "live-dark-320");
  await close(narrow, "live, 320 px");

  await marks(browser);
  await confined(browser);
  await goneAndBack(browser);
});
