/**
 * Texts of foreign origin that try to be more than text, in a real browser against a running server: every name, address,
 * headline, reason and error of every answer is replaced by one of two hundred scripts on its way to the page, in the
 * document's own snapshot too. None may run, none may become an element, and what turns the direction of writing is shown
 * as an escape. `node tests/browser/injection.mjs BASE_URL`; MIRRORWATCH_SWEEP=1 puts every script into every field.
 */
import { readFileSync } from "node:fs";
import { BASE_URL, check, run, WAIT_MS } from "./harness.mjs";

const SCRIPTS = JSON.parse(readFileSync(new URL("scripts.json", import.meta.url), "utf8"));

/** Keys whose values are words, whatever they look like now. */
const WORDS =
  /^(name|url|peer|headline|text|reason|detail|title|said|label|error|handle|endpoint|also_known_as)$/;
/** Values that the page looks things up by, and times. */
const IDENTIFIER = /^[a-z0-9_:.%/?=&-]*$|^\d{4}-\d\d-\d\dT/i;
/** Every script in every field, or each field another one, turned a few times. */
const STEPS = process.env.MIRRORWATCH_SWEEP === "1" ? SCRIPTS.length : 3;

/** A copy of `value` with its words replaced; `next` gives the scripts. */
function poisoned(value, next, key = "") {
  if (Array.isArray(value)) return value.map((item) => poisoned(item, next, key));
  if (value !== null && typeof value === "object")
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, poisoned(item, next, name)]),
    );
  if (typeof value !== "string" || (!WORDS.test(key) && IDENTIFIER.test(value))) return value;
  return next();
}

function poison(envelope, next) {
  if (envelope?.data === undefined) return poisoned(envelope, next);
  return { ...envelope, data: poisoned(envelope.data, next) };
}

/** Answers of the server with poisoned words, of the API and of the snapshot in the document. */
async function poisonRoutes(context, next) {
  await context.route("**/*", async (route) => {
    // The server may close an idle connection just when it is used again.
    const response = await route.fetch({ maxRetries: 3 });
    const type = response.headers()["content-type"] ?? "";
    const headers = { ...response.headers() };
    delete headers["content-length"];
    delete headers["content-encoding"];
    if (type.includes("json") && response.status() !== 304) {
      const body = JSON.stringify(poison(await response.json(), next));
      return route.fulfill({ status: response.status(), headers, body });
    }
    if (type.includes("text/html")) {
      const mark = /(<script type="application\/json" id="initial-overview">)(.*?)(<\/script>)/s;
      const swap = (_, begin, json, end) =>
        begin + JSON.stringify(poison(JSON.parse(json), next)).replaceAll("<", "\\u003c") + end;
      const body = (await response.text()).replace(mark, swap);
      return route.fulfill({ status: response.status(), headers, body });
    }
    return route.fulfill({ response });
  });
}

/** What of the scripts the page has made anything of but text. */
function traces() {
  const elements = [...document.querySelectorAll("*")];
  const handlers = elements.filter((e) => [...e.attributes].some((a) => a.name.startsWith("on")));
  const kinds =
    "iframe,object,embed,form[action],base,marquee,template,video,math,details[open][ontoggle],x,animate";
  const scripts = [...document.querySelectorAll("script")].filter(
    (e) => e.src === "" && e.type !== "application/json",
  );
  const links = [...document.querySelectorAll("[href],[src],[action]")].filter((e) =>
    /^\s*(javascript|data|vbscript):/i.test(
      e.getAttribute("href") ?? e.getAttribute("src") ?? e.getAttribute("action") ?? "",
    ),
  );
  const strange = [...links].filter((e) => e.tagName !== "LINK" && e.tagName !== "IMG");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const TURNERS = [
    "\u202a",
    "\u202b",
    "\u202c",
    "\u202d",
    "\u202e",
    "\u2066",
    "\u2067",
    "\u2068",
    "\u2069",
    "\u0007",
  ];
  let shown = "";
  while (walker.nextNode())
    if (walker.currentNode.parentElement?.tagName !== "SCRIPT") shown += walker.currentNode.data;
  return {
    hits: window.hits,
    breaches: window.breaches,
    made: [...handlers, ...document.querySelectorAll(kinds), ...scripts, ...strange].map((e) =>
      e.outerHTML.slice(0, 200),
    ),
    texts: (shown.match(/hit/g) ?? []).length,
    turned: TURNERS.filter((turner) => shown.includes(turner)).map((turner) =>
      shown.slice(Math.max(0, shown.indexOf(turner) - 40), shown.indexOf(turner) + 60),
    ),
    address: location.href,
  };
}

async function visit(browser, path, ready, offset) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  let count = offset;
  await poisonRoutes(context, () => SCRIPTS[count++ % SCRIPTS.length]);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.addInitScript(() => {
    window.hits = [];
    window.hit = (n) => window.hits.push(String(n));
    window.breaches = [];
    document.addEventListener("securitypolicyviolation", (e) =>
      window.breaches.push(`${e.violatedDirective} ${e.sample}`),
    );
  });
  const url = new URL(path, BASE_URL).href;
  await page.goto(url);
  await page.waitForSelector(ready, { timeout: WAIT_MS });
  await page.waitForTimeout(150);
  const found = await page.evaluate(traces);
  found.faults = faults;
  found.moved = found.address !== url;
  // What the page still asks for is of no interest.
  await context.unrouteAll({ behavior: "ignoreErrors" });
  await context.close();
  return found;
}

async function api(path) {
  return (await fetch(new URL(path, BASE_URL), { cache: "no-store" })).json();
}

run("injection", async (browser) => {
  check(SCRIPTS.length === 200 && new Set(SCRIPTS).size === 200, `${SCRIPTS.length} scripts`);
  const overview = await api("/api/v1/overview");
  const { data } = await api("/api/v1/ops?verdict=missed&limit=1");
  const { did, cid } = data.ops[0];
  const pages = [
    ["/", "main[data-revision] h1", 5],
    ["/misses?verdict=any&chain=any", "main[data-page=misses] [data-list]", 1],
    [`/mirrors/${overview.data.mirrors[0].id}`, "main[data-page=mirror]", 1],
    [`/did/${did}`, "main[data-page=did]", 1],
    [`/op/${did}/${cid}`, "main[data-page=op]", 1],
    ["/did/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "main[data-page=did]", 0],
    ["/compare", "main[data-page=compare] [data-both]", 1],
    ["/events", "main[data-page=events] [data-event]", 1],
    ["/incidents", "main[data-page=incidents] [data-incident]", 1],
    ["/readiness", "main[data-page=readiness] h1", 1],
    ["/vantages", "main[data-page=vantages] [data-at]", 1],
    ["/nodes", "main[data-page=nodes] h1", 0],
    ["/methodology", "main[data-page=methodology] [data-formula]", 1],
    ["/internals", "main[data-page=internals] [data-recomputer]", 0],
  ];
  for (const [path, ready, least] of pages) {
    const all = { hits: [], breaches: [], made: [], faults: [], texts: 0, turned: [], moved: false };
    for (let step = 0; step < STEPS; step += 1) {
      const found = await visit(browser, path, ready, Math.floor((step * SCRIPTS.length) / STEPS));
      for (const key of ["hits", "breaches", "made", "faults", "turned"]) all[key].push(...found[key]);
      all.texts += found.texts;
      all.moved ||= found.moved;
    }
    check(all.hits.length === 0, `${path}: no script runs ${all.hits.join(" ")}`);
    check(all.made.length === 0, `${path}: no script becomes an element ${all.made.slice(0, 3).join(" ")}`);
    check(
      all.breaches.length === 0,
      `${path}: the policy is not even asked ${all.breaches.slice(0, 3).join("; ")}`,
    );
    check(all.faults.length === 0, `${path}: no exception ${all.faults.slice(0, 3).join("; ")}`);
    check(all.texts >= least * STEPS, `${path}: the scripts are shown as text (${all.texts})`);
    check(
      all.turned.length === 0,
      `${path}: nothing turns the direction of writing ${JSON.stringify(all.turned)}`,
    );
    check(!all.moved, `${path}: the address stays`);
  }
});
