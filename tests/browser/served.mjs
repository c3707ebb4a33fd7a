/**
 * What a mirror said that speaks in scripts, as the server hands it out, in a real browser: documents, pictures, raw JSON,
 * tables, feeds, embedded pictures and the stream of events. None may run, open a dialog or become an element.
 * `node tests/browser/served.mjs BASE_URL`; the server watches a mirror called `speaking`, whose name is a script.
 */
import { readFileSync } from "node:fs";
import { BASE_URL, check, run, WAIT_MS } from "./harness.mjs";

const DOCUMENTS = [
  "/status",
  "/badge/speaking/state.svg",
  "/badge/speaking/coverage.svg",
  "/badge/speaking/state.json",
  "/api/v1/overview",
  "/api/v1/mirrors",
  "/api/v1/mirrors/speaking",
  "/api/v1/mirrors/speaking/sessions",
  "/api/v1/events",
  "/api/stats",
  ...["state", "coverage", "lag", "freshness"].map((kind) => `/embed/speaking/${kind}`),
  ...["events", "incidents"].flatMap((feed) => [`/feeds/${feed}.atom`, `/feeds/${feed}.json`]),
];
/** What a browser shows as text or takes for a file. */
const TABLES = ["/api/v1/mirrors", "/api/v1/overview", "/api/v1/events", "/api/v1/mirrors/speaking/sessions"];
const VIEWS = ["/", "/mirrors/speaking", "/events", "/incidents", "/live", "/compare", "/misses"];
/** Where nothing that the mirror said is told. */
const SILENT = /stats|misses|incidents|live$/;
const STREAM = "/api/v1/stream?topics=overview,events";

/** What of the scripts became anything but text, in a document of any kind. */
function traces() {
  const all = [...document.querySelectorAll("*")];
  const scripts = all.filter(
    (e) =>
      e.localName === "script" && !e.getAttribute("src") && e.getAttribute("type") !== "application/json",
  );
  const handlers = all.filter((e) => [...e.attributes].some((a) => a.name.startsWith("on")));
  const foreign = [
    ...document.querySelectorAll("iframe,object,embed,base,marquee,template,video,math,animate,x"),
  ];
  return {
    hits: window.hits,
    made: [...scripts, ...handlers, ...foreign].map((e) => e.outerHTML.slice(0, 200)),
    text: (document.documentElement.textContent.match(/hit/g) ?? []).length,
  };
}

async function visit(browser, path, { isStream, isView }) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const dialogs = [];
  page.on("dialog", (dialog) => {
    dialogs.push(dialog.message());
    dialog.dismiss();
  });
  await page.addInitScript(() => {
    window.hits = [];
    window.hit = (n) => window.hits.push(String(n));
  });
  let saved;
  page.on("download", (download) => {
    saved = download;
  });
  const opening = page.goto(new URL(path, BASE_URL).href, isStream ? { waitUntil: "commit" } : {});
  const isShown = await opening.then(
    () => true,
    (error) => !/Download is starting/.test(error) && Promise.reject(error),
  );
  if (isView) await page.waitForSelector("main h1", { timeout: WAIT_MS });
  if (isStream)
    await page.waitForFunction(() => document.documentElement.textContent.includes("data:"), undefined, {
      timeout: WAIT_MS,
    });
  await page.waitForTimeout(150);
  // A file is not shown: what is in it is read as text.
  const asText = (file) => ({ hits: [], made: [], text: (file.match(/hit/g) ?? []).length });
  const { hits, made, text } = isShown
    ? await page.evaluate(traces)
    : asText(readFileSync(await saved.path(), "utf8"));
  check(hits.length === 0, `${path}: no script runs ${hits.join(" ")}`);
  check(dialogs.length === 0, `${path}: no dialog opens ${dialogs.join("; ")}`);
  check(made.length === 0, `${path}: no script becomes an element ${made.slice(0, 3).join(" ")}`);
  if (!isStream && !SILENT.test(path)) check(text > 0, `${path}: the scripts are there as text (${text})`);
  await context.close();
}

await run("served", async (browser) => {
  for (const path of DOCUMENTS) await visit(browser, path, {});
  for (const path of TABLES)
    for (const form of ["csv", "ndjson"]) await visit(browser, `${path}.${form}`, {});
  for (const path of VIEWS) await visit(browser, path, { isView: true });
  await visit(browser, STREAM, { isStream: true });
});
