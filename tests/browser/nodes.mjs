/**
 * The page of what nodes report, in a real browser, against a running server that takes events in at a second address:
 * `node tests/browser/nodes.mjs BASE_URL OUT_DIR EVENTS_URL`. Fails on any console error, breach of the page's policy, event
 * that is not shown as it was sent, or finding of axe. Exit 0 or 1.
 */
import { accessible } from "./axe.mjs";
import { check, close, comes, fits, open, picture, run, WAIT_MS } from "./harness.mjs";

const EVENTS_URL = process.argv[4];
const WIDE = { width: 1440, height: 1000, path: "nodes", ready: "[data-sender=paris-2] [data-node-event]" };
const NARROW = { ...WIDE, width: 320, height: 720, colorScheme: "dark" };
const MINUTE_NS = 60_000_000_000n;
const SCRIPT = "<script>document.body.remove()</script>";
/** More than a sender's list shows at once. */
const MANY = 25;

async function send(sender, time, message) {
  const body = new URLSearchParams({ sender, time: String(time), eventtype: "Event_Of_Test", message });
  const response = await fetch(new URL("/send", EVENTS_URL), { method: "POST", body });
  check((await response.text()) === "ACK", `${sender} reports`);
}

const senders = (page) => page.$$eval("[data-sender]", (all) => all.map((e) => e.dataset.sender));
const newest = (page, sender) =>
  page.$$eval(`[data-sender="${sender}"] tbody tr:first-child td`, (cells) =>
    cells.slice(0, 4).map((cell) => cell.textContent),
  );

await run("nodes", async (browser) => {
  const now = BigInt(Date.now()) * 1_000_000n;
  await send("paris-2", now - 90n * MINUTE_NS, "first");
  await send("paris-2", now - 2n * MINUTE_NS, "second");
  await send("aix", now - MINUTE_NS, SCRIPT);

  const page = await open(browser, WIDE);
  check(
    (await senders(page)).join() === "aix,paris-1,paris-2",
    `a lane for each sender: ${await senders(page)}`,
  );
  const [, difference, event, message] = await newest(page, "aix");
  check(message === SCRIPT && event === "Event_Of_Test", `text stays text: ${message}`);
  check(/^\+1\smin/.test(difference), `received beside sent: ${difference}`);
  check((await page.$("main script")) === null, "no script becomes an element");
  check(
    (await page.$$("[data-sender=paris-2] [data-gap]")).length === 1,
    "an hour without an event is a gap",
  );
  check((await page.$$("[data-sender=aix] [data-gap]")).length === 0, "nothing is no gap");
  check(
    (await page.$eval("[data-sender=aix] h2", (e) => e.textContent)) === "Stats from node: aix",
    "in the words of gophy's page",
  );

  check(await comes(page, () => document.querySelector("[data-standing=live]") !== null), "it is live");
  await page.evaluate(() => {
    window.isSame = true;
  });
  for (let n = 0; n < MANY; n++) await send("zagreb", now + BigInt(n), `number ${n}`);
  check(
    await comes(
      page,
      (many) => document.querySelectorAll("[data-sender=zagreb] [data-node-event]").length === many,
      MANY,
    ),
    "what is reported comes by itself, each once",
  );
  check((await newest(page, "zagreb"))[3] === `number ${MANY - 1}`, "the newest first");
  check(await page.evaluate(() => window.isSame), "without a new document");
  await page.focus("[data-sender=zagreb] summary");
  await page.keyboard.press("Enter");
  check((await page.$("[data-sender=zagreb] details[open]")) !== null, "older events open by a key");
  await accessible(page, "nodes, 1440 px, light");
  await fits(page, "nodes, 1440 px");
  await picture(page, "nodes-light-1440");
  await close(page, "nodes");

  const narrow = await open(browser, NARROW);
  await accessible(narrow, "nodes, 320 px, dark");
  await fits(narrow, "nodes, 320 px");
  await picture(narrow, "nodes-dark-320");
  await close(narrow, "nodes");

  const led = await open(browser, { ...WIDE, path: "internals", ready: "a[href='/nodes']" });
  await led.click("a[href='/nodes']");
  await led.waitForSelector(WIDE.ready, { timeout: WAIT_MS });
  await close(led, "the way from internals");

  const context = await browser.newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(EVENTS_URL);
  check((await plain.textContent("body")).includes(SCRIPT), "without scripts the listener's page has it");
  await context.close();
});
