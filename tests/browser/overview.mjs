/**
 * The overview page in a real browser, against a running server: `node tests/browser/overview.mjs BASE_URL [OUT_DIR]`
 * (or the environment variables of these names; CHROMIUM names the browser). Fails on any console error, breach of the
 * page's policy, or number that differs from the API's at the same revision. Writes screenshots to OUT_DIR. Exit 0 or 1.
 */
import { expectedFigures, expectedPrimary, expectedRow } from "./expected.mjs";
import {
  BASE_URL,
  brightness,
  check,
  close,
  comes,
  fits,
  open,
  picture,
  run,
  turnsDark,
  WAIT_MS,
} from "./harness.mjs";

const HISTORY = "/api/v1/analytics/history?window=6h";

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
      compare("the primary", expectedPrimary(data.primary), rows[0]?.figures ?? {});
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
  const moved = await comes(
    page,
    (rev) => Number(document.querySelector("main").dataset.revision) > rev,
    before,
  );
  check(
    moved && (await page.evaluate(() => window.sameDocument === true)),
    "a new revision arrives without a reload",
  );
}

/** A key moves the focus within this. */
const MOVED_WITHIN_MS = 1_000;

async function keyboardMoves(page) {
  const stops = await page.locator(".matrix [data-cell][tabindex='0']").count();
  check(stops === 1, "the matrix is one tab stop");
  await page.locator(".matrix [data-cell][tabindex='0']").focus();
  // Which mirror is in which row, how many intervals there are and the newest of them, and where the focus is.
  const look = () =>
    page.evaluate(() => {
      const rows = [...document.querySelectorAll(".matrix [role=row]")].map((row) => [
        ...row.querySelectorAll("[data-cell]"),
      ]);
      return {
        order: rows.map(([first]) => first.dataset.mirror).join(),
        rows: rows.length,
        columns: rows[0].length,
        newest: rows[0].at(-1).dataset.t,
        at: document.activeElement?.getAttribute("data-cell") ?? null,
      };
    });
  const isAt = (cell) => document.activeElement?.getAttribute("data-cell") === cell;
  // An interval that begins meanwhile makes the matrix wider, or moves what it shows, and a mirror that does worse moves up:
  // then the keys are pressed anew.
  let moves;
  for (const end = Date.now() + WAIT_MS; moves === undefined && Date.now() < end; ) {
    const begun = await look();
    const row = Number(begun.at.split(":")[0]);
    const before = Math.max(0, begun.columns - 2);
    const [down, next] = row + 1 < begun.rows ? ["ArrowDown", row + 1] : ["ArrowUp", Math.max(0, row - 1)];
    moves = [
      ["Home", `${row}:0`, "Home leads to the oldest interval"],
      ["End", `${row}:${begun.columns - 1}`, "End leads to the newest interval"],
      ["ArrowLeft", `${row}:${before}`, "ArrowLeft moves one interval back"],
      [down, `${next}:${before}`, `${down} moves to the mirror beside it`],
    ];
    for (const move of moves) {
      await page.keyboard.press(move[0]);
      await page.waitForFunction(isAt, move[1], { timeout: MOVED_WITHIN_MS }).catch(() => undefined);
      move.push((await look()).at);
    }
    const ended = await look();
    if (ended.newest !== begun.newest || ended.order !== begun.order) moves = undefined;
  }
  for (const [, cell, what, found] of moves ?? [
    [undefined, "a cell", "the matrix rests for as long", "none"],
  ])
    check(found === cell, `${what} (${found})`);
  check(
    await comes(page, () => document.querySelector(".tip")?.checkVisibility()),
    "the focused cell explains itself",
  );
  await page.keyboard.press("Escape");
  check(await comes(page, () => document.querySelector(".tip") === null), "Escape closes the explanation");
}

async function losesTheSocket(browser) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.routeWebSocket(/\/api\/v1\/live$/, (socket) => void socket.close({ code: 1013 }));
  await page.goto(BASE_URL);
  const said = await comes(page, () =>
    /Last update .* ago — reconnecting \(\d+\)/.test(document.querySelector("[data-age]")?.textContent ?? ""),
  );
  check(said, "without a live socket the page says that it is reconnecting");
  const revision = () => page.evaluate(() => Number(document.querySelector("main")?.dataset.revision));
  const before = await revision();
  const polled = await comes(
    page,
    (rev) => Number(document.querySelector("main").dataset.revision) > rev,
    before,
  );
  check(polled, "without a live socket the page polls");
  await context.close();
}

await run("overview", async (browser) => {
  const light = await open(browser, { width: 1440, height: 1000 });
  await numbersEqual(light);
  await updatesLive(light);
  check((await brightness(light)) > 0.8, "light where the system is light");
  await fits(light, "1440 px");
  await picture(light, "overview-light-1440");
  await keyboardMoves(light);
  await light.keyboard.press("t");
  check(await turnsDark(light), "the key t switches to dark");
  await close(light, "light");

  const dark = await open(browser, { width: 1440, height: 1000, colorScheme: "dark" });
  await dark.waitForSelector(".matrix", { timeout: WAIT_MS });
  check((await brightness(dark)) < 0.2, "dark where the system is dark");
  await picture(dark, "overview-dark-1440");
  await close(dark, "dark");

  const narrow = await open(browser, { width: 320, height: 800 });
  await narrow.waitForSelector(".matrix", { timeout: WAIT_MS });
  await fits(narrow, "320 px");
  await picture(narrow, "overview-320");
  await close(narrow, "narrow");

  await losesTheSocket(browser);
});
