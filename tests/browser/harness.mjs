/**
 * What every test of the page in a browser needs: a browser, pages whose errors are failures, checks that are counted, and
 * the last word. A script calls `run(name, test)` once.
 */
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const BASE_URL = process.argv[2] ?? process.env.BASE_URL ?? "http://127.0.0.1:7331/";
const OUT_DIR = process.argv[3] ?? process.env.OUT_DIR ?? ".";
const CHROMIUM = process.env.CHROMIUM;
export const WAIT_MS = 60_000;

const problems = [];

export function check(holds, text) {
  if (!holds) problems.push(text);
  console.log(`${holds ? "ok  " : "FAIL"} ${text}`);
}

/** A page whose console errors, exceptions and policy breaches are failures of the test, but for those `expected`. */
export async function open(
  browser,
  {
    width,
    height,
    colorScheme = "light",
    path = "",
    ready = "main[data-revision] h1",
    expected = /^$/,
    ...more
  },
) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, ...more });
  const page = await context.newPage();
  page.on("console", (message) => {
    if ((message.type() === "error" || message.type() === "warning") && !expected.test(message.text()))
      problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  await page.addInitScript(() => {
    window.breaches = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.breaches.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(new URL(path, BASE_URL).href);
  await page.waitForSelector(ready, { timeout: WAIT_MS });
  return page;
}

export async function close(page, name) {
  const breaches = await page.evaluate(() => window.breaches);
  check(breaches.length === 0, `${name}: no breach of the policy ${breaches.join("; ")}`);
  await page.context().close();
}

export async function fits(page, name) {
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

/** How bright the ground is, 0 to 1. */
export async function brightness(page) {
  return luminance(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
}

/** Whether the page is dark within the time. */
export async function turnsDark(page) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await page.waitForTimeout(20))
    if ((await brightness(page)) < 0.2) return true;
  return false;
}

export async function picture(page, name) {
  await page.screenshot({ path: join(OUT_DIR, `${name}.png`), fullPage: true });
}

/** Whether `test` holds in the page within the time. */
export async function comes(page, test, argument) {
  return page.waitForFunction(test, argument, { timeout: WAIT_MS }).then(
    () => true,
    () => false,
  );
}

/** Runs a test with a browser, says what came of it, and ends the process with 0 or 1. */
export async function run(name, test) {
  try {
    if (!CHROMIUM) throw new Error("name the browser in the variable CHROMIUM");
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
      await test(browser);
    } finally {
      await browser.close();
    }
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  console.log(
    problems.length === 0
      ? `${name}: all checks hold`
      : `${name}: ${problems.length} problems\n  ${problems.join("\n  ")}`,
  );
  process.exit(problems.length === 0 ? 0 : 1);
}
