/**
 * npm's `@logux/client` against our channels: what nobody here wrote subscribes, is told, and is answered.
 *
 * `node channels.mjs URL` with a server that knows the tokens below; it prints `restart` when the server is to be killed and
 * started again, and goes on when a line comes on standard input.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
globalThis.WebSocket = require("ws");
const { Client } = await import(pathToFileURL(require.resolve("@logux/client")).href);

const URL_OF_SERVER = process.argv[2];
const WAIT_MS = 20_000;

const problems = [];

function check(holds, text) {
  if (!holds) problems.push(text);
  console.log(`${holds ? "ok  " : "FAIL"} ${text}`);
}

async function until(condition, what) {
  const deadline = Date.now() + WAIT_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited for: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** A client that remembers what it was told, in order, and every answer by the id that it answers. */
function viewer(userId, options = {}) {
  const client = new Client({
    server: URL_OF_SERVER,
    allowDangerousProtocol: true,
    subprotocol: 1,
    userId,
    minDelay: 50,
    maxDelay: 200,
    ...options,
  });
  const came = [];
  const answers = new Map();
  const errors = [];
  client.node.catch((error) => {
    // A server that is away is no error of the protocol.
    if (error.name === "LoguxError") errors.push(error.type);
  });
  client.on("add", (action, meta) => {
    if (action.type === "logux/processed" || action.type === "logux/undo") {
      answers.set(action.id, (answers.get(action.id) ?? 0) + 1);
    } else if (!meta.sync) {
      came.push({ ...action, id: meta.id, time: meta.time });
    }
  });
  client.start();
  return { client, came, answers, errors };
}

const of = (side, channel) => side.came.filter((action) => action.channel === channel);
const subscribe = (side, channel) => side.client.sync({ type: "logux/subscribe", channel });
const unsubscribe = (side, channel) => side.client.sync({ type: "logux/unsubscribe", channel });

/** Why an action is undone. */
async function reason(side, action) {
  try {
    await side.client.sync(action);
    return "processed";
  } catch (error) {
    return error.action?.reason ?? String(error);
  }
}

function rises(actions) {
  return actions.every((action, n) => n === 0 || action.revision > actions[n - 1].revision);
}

async function states(side) {
  await subscribe(side, "mirrors");
  const first = of(side, "mirrors");
  check(first.length >= 1, "the state comes before the answer");
  check(first[0].type === "mirrorwatch/mirrors" && Array.isArray(first[0].data.mirrors), "it is the page");
  check(Math.abs(first[0].time - Date.now()) < 5_000, "its time is right");
  await until(() => of(side, "mirrors").length >= 3, "newer states come");
  const id = first[0].data.mirrors[0].id;
  await subscribe(side, `mirrors/${id}`);
  check(of(side, `mirrors/${id}`)[0].data.id === id, "the page of a mirror");
  await unsubscribe(side, "mirrors");
  const before = of(side, "mirrors").length;
  const more = of(side, `mirrors/${id}`).length + 3;
  await until(() => of(side, `mirrors/${id}`).length >= more, "newer states of what is left come");
  check(of(side, "mirrors").length === before, "none of what it is not subscribed to any more");
  check(rises(of(side, "mirrors")) && rises(of(side, `mirrors/${id}`)), "each once, and in order");
  await subscribe(side, "incidents");
  check(of(side, "incidents")[0].data.incidents !== undefined, "the page of incidents");
  await subscribe(side, "nodes");
  check(
    side.came.some((action) => action.type === "mirrorwatch/overview"),
    "how everything stands at our node",
  );
  return id;
}

async function refusals(side) {
  for (const [action, wanted] of [
    [{ type: "logux/subscribe", channel: "posts/1" }, "wrongChannel"],
    [{ type: "logux/subscribe", channel: "mirrors/none" }, "notFound"],
    [{ type: "likes/add" }, "unknownType"],
    [{ type: "mirrorwatch/mirrors" }, "denied"],
  ]) {
    const found = await reason(side, action);
    check(found === wanted, `${JSON.stringify(action)}: ${found}`);
  }
}

async function tokens() {
  const reader = viewer("reader", { token: "token-r" });
  await subscribe(reader, "mirrors");
  check(of(reader, "mirrors").length >= 1, "with a token");
  check(
    (await reason(reader, { type: "logux/subscribe", channel: "nodes" })) === "processed",
    "what it may read",
  );
  reader.client.destroy();
  for (const [user, token] of [
    ["reader", "guess"],
    ["reader", undefined],
    ["anonymous", "token-r"],
    ["server", undefined],
  ]) {
    const stranger = viewer(user, { token });
    await until(() => stranger.errors.length > 0, `${user} is refused`);
    check(stranger.errors[0] === "wrong-credentials", `${user} with ${token}: ${stranger.errors[0]}`);
    stranger.client.destroy();
  }
}

/** The connection is lost and found: what it was subscribed to goes on. */
async function again(side, id) {
  const before = of(side, `mirrors/${id}`).length;
  side.client.node.connection.disconnect();
  await until(() => side.client.node.state === "disconnected", "it is disconnected");
  side.client.node.connection.connect();
  await until(() => of(side, `mirrors/${id}`).length >= before + 2, "it is subscribed again");
}

async function restart(side, id) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log("restart");
  await lines.next();
  // Asked while nobody may be there to answer.
  const asked = subscribe(side, "mirrors");
  const before = of(side, `mirrors/${id}`).length;
  side.client.node.connection.connect();
  await asked;
  check(true, "what was asked meanwhile is answered");
  await until(() => of(side, `mirrors/${id}`).length >= before + 2, "subscriptions go on behind a restart");
}

const side = viewer("anonymous");
const id = await states(side);
await refusals(side);
await tokens();
await again(side, id);
await restart(side, id);
check(
  [...side.answers.values()].every((times) => times === 1),
  "each action is answered once",
);
await until(() => side.client.node.state === "synchronized", "nothing waits for an answer");
check(side.errors.length === 0, `no errors: ${side.errors}`);
side.client.destroy();

if (problems.length > 0) {
  console.log(`${problems.length} problems`);
  process.exit(1);
}
console.log("logux: all checks hold");
process.exit(0);
