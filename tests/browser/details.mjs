/**
 * The views of misses, of a DID, of an operation and of a mirror in a real browser, against a running server whose mirrors
 * lose something: `node tests/browser/details.mjs BASE_URL [OUT_DIR]`. Fails on any console error, breach of the page's
 * policy, or number that differs from the API's. Writes screenshots to OUT_DIR. Exit 0 or 1.
 */
import { BASE_URL, check, close, comes, fits, open, picture, run, turnsDark, WAIT_MS } from "./harness.mjs";

const WIDE = { width: 1440, height: 1000 };
/** What a browser says of an answer that is a refusal, which these tests ask for. */
const REFUSED = /status of 40[04]/;

async function api(path) {
  const response = await fetch(new URL(path, BASE_URL), { cache: "no-store" });
  return response.json();
}

/** The number of milliseconds behind the first, apart from the page's own formatting. */
function offsetsOf({ data }) {
  return data.hosts.map((host) => [host.id, host.verdict, String(host.offset_ms)]);
}

async function fromTheOverview(browser) {
  const page = await open(browser, WIDE);
  await page.evaluate(() => {
    window.sameDocument = true;
  });
  await page.click(".views a[href='/misses']");
  await page.waitForSelector("main[data-page=misses] [data-count]", { timeout: WAIT_MS });
  check(
    await page.evaluate(() => window.sameDocument === true),
    "a view is entered without loading the document again",
  );
  check((await page.title()).startsWith("misses"), "the title is the view's");
  await page.goBack();
  check(
    await comes(page, () => document.querySelector("main[data-revision]") !== null),
    "back leads to the overview",
  );
  await page.goForward();
  check(
    await comes(page, () => document.querySelector("main[data-page=misses]") !== null),
    "forward leads to the misses",
  );
  await page.goBack();
  await page.waitForSelector("main[data-revision] a[href^='/misses?mirror=']", { timeout: WAIT_MS });
  const href = await page.getAttribute(
    "main[data-revision] td[data-label=Missed] a[href^='/misses?mirror=']",
    "href",
  );
  const id = new URLSearchParams(href.split("?")[1]).get("mirror");
  await page.click(`main[data-revision] a[href="${href}"]`);
  await page.waitForSelector("main[data-page=misses] [data-list]", { timeout: WAIT_MS });
  const mirrors = await page.$$eval("tr[data-op]", (rows) => rows.map((row) => row.dataset.mirror));
  check(
    mirrors.length > 0 && mirrors.every((m) => m === id),
    `a mirror's count leads to its misses (${mirrors.length})`,
  );
  await close(page, "from the overview");
}

async function misses(browser) {
  const page = await open(browser, { ...WIDE, path: "misses", ready: "[data-list]", expected: REFUSED });
  // A fresh miss may heal between the two looks, and an answer is handed out again for a second: only those that have stood
  // for a while are compared.
  const shown = await page.$$eval("tr[data-op]", (rows) =>
    rows
      .filter((row) => Date.now() - Date.parse(row.querySelector("time").dateTime) > 30_000)
      .map((row) => [row.dataset.mirror, row.dataset.op]),
  );
  const told = (await api("/api/v1/ops?verdict=missed&chain=root&limit=1000")).data.ops;
  const known = new Set(told.map((op) => `${op.mirror} ${op.cid}`));
  const strange = shown.filter(([mirror, cid]) => !known.has(`${mirror} ${cid}`));
  check(
    told.length > 0 && strange.length === 0,
    `misses: ${shown.length} rows are the API's (${strange.length} are not)`,
  );
  const open_ = await page.$eval("[data-open]", (e) => Number(e.dataset.open));
  const overview = (await api("/api/v1/overview")).data.mirrors.reduce((n, m) => n + m.open_misses, 0);
  check(
    Math.abs(open_ - overview) <= 25,
    `misses: ${open_} are open, the API says ${overview} a moment later`,
  );
  await page.selectOption("[data-filter=kind]", "update");
  check(await comes(page, () => location.search === "?kind=update"), "a filter stands in the address");
  check(
    await comes(page, () =>
      [...document.querySelectorAll("tr[data-op] [data-label=Kind]")].every(
        (cell) => cell.textContent === "update",
      ),
    ),
    "a filter holds for every row",
  );
  await page.goBack();
  check(
    await comes(page, () => document.querySelector("[data-filter=kind]").value === ""),
    "back takes the filter off again",
  );
  await page.selectOption("[data-filter=verdict]", "extra");
  check(
    await comes(page, () => {
      const rows = [...document.querySelectorAll("tr[data-op]")];
      return rows.length > 0 && rows.every((row) => row.dataset.verdict === "extra");
    }),
    "extras are listed too",
  );
  await page.selectOption("[data-filter=verdict]", "missed");
  await page.waitForSelector("tr[data-verdict=missed]", { timeout: WAIT_MS });
  await fits(page, "misses, 1440 px");
  await picture(page, "misses-light-1440");
  await page.fill("[data-filter=did]", "did:plc:short");
  await page.press("[data-filter=did]", "Enter");
  check(
    await comes(page, () => document.querySelector("[data-failure=bad_did]") !== null),
    "a wrong filter is answered in words",
  );
  await close(page, "misses");
}

async function operation(browser, path, name) {
  const page = await open(browser, { ...WIDE, path: path.slice(1), ready: ".strip tbody tr" });
  const url = `/api/v1${path.replace("/op/", "/ops/")}`;
  const told = offsetsOf(await api(url));
  const shown = await page.$$eval(".strip tbody tr", (rows) =>
    rows.map((row) => [
      row.dataset.host,
      row.dataset.verdict,
      row.querySelector("[data-offset]").dataset.offset,
    ]),
  );
  check(JSON.stringify(shown) === JSON.stringify(told), `${name}: ${shown.length} arrivals are the API's`);
  const ticks = await page.$$eval(".strip .tick", (all) => all.length);
  check(
    ticks === told.filter((host) => host[2] !== "null").length,
    `${name}: ${ticks} hosts have a tick on the axis`,
  );
  const evidence = await page.getAttribute("[data-evidence]", "href");
  const response = await fetch(new URL(evidence, BASE_URL));
  const bundle = await response.json();
  check(
    response.headers.get("content-disposition").startsWith("attachment;") &&
      JSON.stringify(offsetsOf({ data: bundle.data.operation })) === JSON.stringify(told),
    `${name}: the evidence is a file and says the same (${bundle.data.probes.length} probes)`,
  );
  await fits(page, `${name}, 1440 px`);
  await picture(page, `${name}-light-1440`);
  await page.keyboard.press("t");
  check(await turnsDark(page), `${name}: dark at a key`);
  await picture(page, `${name}-dark-1440`);
  await close(page, name);
}

async function did(browser, id, name) {
  const page = await open(browser, { ...WIDE, path: `did/${id}`, ready: ".side-by-side tbody tr" });
  const { data } = await api(`/api/v1/dids/${id}`);
  const shown = await page.$$eval(".side-by-side tbody tr", (rows) =>
    rows.flatMap((row) =>
      [...row.querySelectorAll("td[data-host]")]
        .filter((cell) => cell.dataset.verdict !== undefined)
        .map((cell) => `${row.dataset.op} ${cell.dataset.host} ${cell.dataset.verdict}`),
    ),
  );
  const told = data.ops.flatMap((op) =>
    Object.entries(op.mirrors).map(([mirror, at]) => `${op.cid} ${mirror} ${at.verdict}`),
  );
  const wrong = told.filter((cell) => !shown.includes(cell));
  check(
    told.length > 0 && wrong.length === 0,
    `${name}: ${told.length} cells are the API's (${wrong.length} differ)`,
  );
  const columns = await page.$$eval(".side-by-side thead th", (all) => all.length);
  check(columns === data.hosts.length + 1, `${name}: every host has a column`);
  await fits(page, `${name}, 1440 px`);
  await picture(page, `${name}-light-1440`);
  if (data.is_recheck_allowed) {
    await page.click(".recheck button");
    check(
      await comes(page, () => document.querySelector("[data-identical]:not([data-identical=null])") !== null),
      `${name}: every host answers when it is asked`,
    );
    await picture(page, `${name}-asked-1440`);
  }
  await close(page, name);
}

async function mirror(browser, id) {
  const page = await open(browser, { ...WIDE, path: `mirrors/${id}`, ready: "[data-figure=transport]" });
  const { data } = await api(`/api/v1/mirrors/${id}`);
  const transport = await page.$eval("[data-figure=transport]", (e) => e.dataset.value);
  check(transport === data.transport, `mirror: its transport is ${transport}`);
  await page.focus("[data-figure=open-misses] a");
  await page.keyboard.press("Enter");
  check(
    await comes(page, (m) => new URLSearchParams(location.search).get("mirror") === m, id),
    "mirror: its misses are a key away",
  );
  await page.goBack();
  await page.waitForSelector("[data-figure=transport]", { timeout: WAIT_MS });
  await fits(page, "mirror, 1440 px");
  await picture(page, "mirror-light-1440");
  await close(page, "mirror");
}

async function narrow(browser, paths) {
  for (const [name, path, ready] of paths) {
    const page = await open(browser, { width: 320, height: 800, path, ready, colorScheme: "dark" });
    await fits(page, `${name}, 320 px`);
    await picture(page, `${name}-dark-320`);
    await close(page, `${name}, 320 px`);
  }
}

/** An address that names nothing, and one that names what is not known, both say so in words. */
async function nothing(browser) {
  const unknown = "did/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
  const page = await open(browser, {
    ...WIDE,
    path: unknown,
    ready: "[data-failure=no_such_did]",
    expected: REFUSED,
  });
  await picture(page, "did-unknown-1440");
  await close(page, "an unknown DID");
  const wrong = await open(browser, { ...WIDE, path: "did/wrong", ready: "main[data-page=nowhere] h1" });
  await close(wrong, "no DID");
}

await run("details", async (browser) => {
  const missed = (await api("/api/v1/ops?verdict=missed&limit=50")).data.ops;
  // The oldest: what is only slow has come by then.
  const op = missed.findLast((row) => row.confirmation !== null) ?? missed.at(-1);
  const extra = (await api("/api/v1/ops?verdict=extra&limit=1")).data.ops[0];
  check(op !== undefined && extra !== undefined, "the world has a miss and an extra to look at");
  await fromTheOverview(browser);
  await misses(browser);
  await operation(browser, `/op/${op.did}/${op.cid}`, "op-missed");
  await operation(browser, `/op/${extra.did}/${extra.cid}`, "op-extra");
  await did(browser, op.did, "did");
  await mirror(browser, op.mirror);
  await narrow(browser, [
    ["misses", "misses", "[data-list]"],
    ["op", `op/${op.did}/${op.cid}`, ".strip tbody tr"],
    ["did", `did/${op.did}`, ".side-by-side tbody tr"],
    ["mirror", `mirrors/${op.mirror}`, "[data-figure=transport]"],
  ]);
  await nothing(browser);
});
