/**
 * The overview page in a real browser, against a running server: `node tests/browser/overview.mjs BASE_URL [OUT_DIR]`
 * (or the environment variables of these names; CHROMIUM names the browser). Fails on any console error, breach of the
 * page's policy, or number that differs from the API's at the same revision. Writes screenshots to OUT_DIR. Exit 0 or 1.
 */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expectedFigures, expectedRow } from "./expected.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const BASE_URL = process.argv[2] ?? process.env.BASE_URL ?? "http://127.0.0.1:7331/";
const OUT_DIR = process.argv[3] ?? process.env.OUT_DIR ?? ".";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const WAIT_MS = 20_000;
const HISTORY = "/api/v1/analytics/history?window=6h";

const problems = [];

function check(holds, text) {
  if (!holds) problems.push(text);
  console.log(`${holds ? "ok  " : "FAIL"} ${text}`);
}

/** A page whose console errors, exceptions and policy breaches are failures of the test. */
async function open(browser, { width, height, colorScheme = "light" }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  await page.addInitScript(() => {
    window.breaches = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.breaches.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(BASE_URL);
  await page.waitForSelector("main[data-revision] h1", { timeout: WAIT_MS });
  return page;
}

async function close(page, name) {
  const breaches = await page.evaluate(() => window.breaches);
  check(breaches.length === 0, `${name}: no breach of the policy ${breaches.join("; ")}`);
  await page.context().close();
}

/** The API's page at `url`, and what the document shows of that very revision. Retries while the two pass each other by. */
async function atOneRevision(page, url, selector, attribute, read) {
  const deadline = Date.now() + WAIT_MS;
  while (Date.now() < deadline) {
    const seen = await page.evaluate(
      async ({ url, selector, attribute }) => {
        const envelope = await (await fetch(url, { cache: "no-store" })).json();
        const shown = () => Number(document.querySelector(selector)?.getAttribute(attribute));
        const end = performance.now() + 3_000;
        while (shown() < envelope.meta.revision && performance.now() < end)
          await new Promise((r) => setTimeout(r, 5));
        if (shown() !== envelope.meta.revision) return null;
        const text = (element) => element.textContent.replace(/\u202f/g, " ").trim();
        const visible = (element) => {
          const copy = element.cloneNode(true);
          for (const hidden of copy.querySelectorAll(".visually-hidden")) hidden.remove();
          return text(copy);
        };
        const figures = (root) =>
          Object.fromEntries(
            [...root.querySelectorAll("[data-figure]")].map((e) => [
              e.dataset.figure,
              { raw: e.dataset.value, text: visible(e) },
            ]),
          );
        return {
          envelope,
          top: figures(document.querySelector(".figures")),
          headline: text(document.querySelector("h1 [data-figure=headline]")),
          observer: document.querySelector("[data-figure=observer]").dataset.value,
          rows: [...document.querySelectorAll("tr[data-source]")].map((row) => ({
            id: row.dataset.source,
            figures: figures(row),
          })),
          cells: [...document.querySelectorAll(".matrix [data-cell]")].map((cell) => [
            cell.dataset.mirror,
            Number(cell.dataset.t),
            cell.dataset.value,
          ]),
        };
      },
      { url, selector, attribute },
    );
    if (seen !== null) return read(seen);
  }
  check(false, `${url}: the page never showed the revision that the API served`);
  return undefined;
}

function compare(where, expected, shown) {
  const wrong = [];
  for (const [name, { raw, text }] of Object.entries(expected)) {
    const got = shown[name];
    if (got === undefined) wrong.push(`${name} is not on the page`);
    else if (got.raw !== raw || got.text !== text)
      wrong.push(`${name}: API ${raw} "${text}", page ${got.raw} "${got.text}"`);
  }
  check(
    wrong.length === 0,
    `${where}: ${Object.keys(expected).length} figures equal the API's ${wrong.join("; ")}`,
  );
}

async function numbersEqual(page) {
  await atOneRevision(
    page,
    "/api/v1/overview",
    "main",
    "data-revision",
    ({ envelope, top, headline, observer, rows }) => {
      const { data } = envelope;
      check(headline === data.headline, `headline is the API's: "${headline}"`);
      check(observer === data.observer.state, `observer is ${observer}`);
      compare("four figures", expectedFigures(data), top);
      check(rows[0]?.id === data.primary.id, "the primary is the first row");
      check(rows.length === data.mirrors.length + 1, `${rows.length - 1} mirrors are in the table`);
      for (const mirror of data.mirrors) {
        compare(mirror.id, expectedRow(mirror), rows.find((row) => row.id === mirror.id)?.figures ?? {});
      }
    },
  );
  await atOneRevision(
    page,
    HISTORY,
    "[data-history-revision]",
    "data-history-revision",
    ({ envelope, cells }) => {
      const { data } = envelope;
      const shown = new Map(cells.map(([id, t, value]) => [`${id} ${t}`, value]));
      const wrong = data.mirrors.flatMap((mirror) =>
        data.t_unix_ms.filter(
          (t, i) => shown.get(`${mirror.id} ${t}`) !== String(mirror.coverage_ratio[i] ?? null),
        ),
      );
      const total = data.mirrors.length * data.t_unix_ms.length;
      check(
        total > 0 && cells.length === total && wrong.length === 0,
        `matrix: ${cells.length} cells equal the API's (${wrong.length} differ)`,
      );
    },
  );
}

async function updatesLive(page) {
  const before = await page.evaluate(() => {
    window.sameDocument = true;
    return Number(document.querySelector("main").dataset.revision);
  });
  await page.waitForSelector("[data-live=live]", { timeout: WAIT_MS });
  const moved = await page
    .waitForFunction((rev) => Number(document.querySelector("main").dataset.revision) > rev, before, {
      timeout: WAIT_MS,
    })
    .then(
      () => true,
      () => false,
    );
  check(
    moved && (await page.evaluate(() => window.sameDocument === true)),
    "a new revision arrives without a reload",
  );
}

async function keyboardMoves(page) {
  const at = () => page.evaluate(() => document.activeElement?.getAttribute("data-cell"));
  const press = async (key) => {
    await page.keyboard.press(key);
    return at();
  };
  const stops = await page.locator(".matrix [data-cell][tabindex='0']").count();
  check(stops === 1, "the matrix is one tab stop");
  await page.locator(".matrix [data-cell][tabindex='0']").focus();
  const [rows, columns] = await page.evaluate(() => {
    const all = [...document.querySelectorAll(".matrix [role=row]")];
    return [all.length, all[0].querySelectorAll("[data-cell]").length];
  });
  check((await press("Home")) === "0:0", "Home leads to the oldest interval");
  check((await press("End")) === `0:${columns - 1}`, "End leads to the newest interval");
  check((await press("ArrowLeft")) === `0:${Math.max(0, columns - 2)}`, "ArrowLeft moves one interval back");
  check(
    (await press("ArrowDown")) === `${Math.min(1, rows - 1)}:${Math.max(0, columns - 2)}`,
    "ArrowDown moves to the next mirror",
  );
  check(await page.locator(".tip").isVisible(), "the focused cell explains itself");
  await page.keyboard.press("Escape");
  check((await page.locator(".tip").count()) === 0, "Escape closes the explanation");
}

async function fits(page, name) {
  const [wide, view] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  check(wide <= view, `${name}: no sideways scrolling of the page (${wide} of ${view} px)`);
}

function luminance(rgb) {
  const [r, g, b] = rgb.match(/\d+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

const ground = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

async function losesTheSocket(browser) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.routeWebSocket(/\/api\/v1\/live$/, (socket) => void socket.close({ code: 1013 }));
  await page.goto(BASE_URL);
  const said = await page
    .waitForFunction(
      () =>
        /Last update .* ago — reconnecting \(\d+\)/.test(
          document.querySelector("[data-age]")?.textContent ?? "",
        ),
      null,
      { timeout: WAIT_MS },
    )
    .then(
      () => true,
      () => false,
    );
  check(said, "without a live socket the page says that it is reconnecting");
  const revision = () => page.evaluate(() => Number(document.querySelector("main")?.dataset.revision));
  const before = await revision();
  const polled = await page
    .waitForFunction((rev) => Number(document.querySelector("main").dataset.revision) > rev, before, {
      timeout: WAIT_MS,
    })
    .then(
      () => true,
      () => false,
    );
  check(polled, "without a live socket the page polls");
  await context.close();
}

async function main() {
  mkdirSync(OUT_DIR, { recursive: true });
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  try {
    const light = await open(browser, { width: 1440, height: 1000 });
    await numbersEqual(light);
    await updatesLive(light);
    check(luminance(await ground(light)) > 0.8, "light where the system is light");
    await fits(light, "1440 px");
    await light.screenshot({ path: join(OUT_DIR, "overview-light-1440.png"), fullPage: true });
    await keyboardMoves(light);
    await light.keyboard.press("t");
    check(luminance(await ground(light)) < 0.2, "the key t switches to dark");
    await close(light, "light");

    const dark = await open(browser, { width: 1440, height: 1000, colorScheme: "dark" });
    await dark.waitForSelector(".matrix", { timeout: WAIT_MS });
    check(luminance(await ground(dark)) < 0.2, "dark where the system is dark");
    await dark.screenshot({ path: join(OUT_DIR, "overview-dark-1440.png"), fullPage: true });
    await close(dark, "dark");

    const narrow = await open(browser, { width: 320, height: 800 });
    await narrow.waitForSelector(".matrix", { timeout: WAIT_MS });
    await fits(narrow, "320 px");
    await narrow.screenshot({ path: join(OUT_DIR, "overview-320.png"), fullPage: true });
    await close(narrow, "narrow");

    await losesTheSocket(browser);
  } finally {
    await browser.close();
  }
}

try {
  await main();
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
}
console.log(
  problems.length === 0
    ? "overview: all checks hold"
    : `overview: ${problems.length} problems\n  ${problems.join("\n  ")}`,
);
process.exit(problems.length === 0 ? 0 : 1);
