/**
 * npm's official nodes against ours: what nobody here wrote connects, exchanges actions, is cut off and comes back.
 *
 * `node logux.mjs URL` with a server that knows the tokens below; it prints `restart` when the server is to be killed and
 * started again, and goes on when a line comes on standard input.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const WebSocket = require("ws");
const core = async (name) => import(pathToFileURL(require.resolve(name)).href);
const CORES = { 5: await core("logux-core-5"), 7: await core("logux-core-7") };

const URL_OF_SERVER = process.argv[2];
const WAIT_MS = 20_000;
const HOUR_MS = 3_600_000;
const LARGE = "x".repeat(350_000);

const problems = [];

function check(holds, text) {
  if (!holds) problems.push(text);
  console.log(`${holds ? "ok  " : "FAIL"} ${text}`);
}

function same(found, wanted, text) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  check(a === b, a === b ? text : `${text}: ${a?.slice(0, 300)} is not ${b?.slice(0, 300)}`);
}

async function until(condition, what) {
  const deadline = Date.now() + WAIT_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited for: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** An id of either spelling, as milliseconds, node and counter. */
function idOf(version, id) {
  const alphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  const [time, name, counter] = id.split(" ");
  if (version === 5) return `${time} ${name} ${counter}`;
  const ms = [...time].reduce((sum, char) => sum * 64 + alphabet.indexOf(char), 0);
  const [node, suffix] = name.split("~");
  return `${ms} ${node} ${suffix ?? 0}`;
}

/** An official node that remembers which actions of the test came, in their order. */
function client(version, nodeId, token, options = {}) {
  const { ClientNode, Log, MemoryStore, Reconnect, WsConnection } = CORES[version];
  const log = new Log({ nodeId, store: new MemoryStore() });
  const came = [];
  const errors = [];
  log.on("preadd", (_, meta) => {
    if (!meta.reasons?.length) meta.reasons = ["test"];
  });
  log.on("add", (action, meta) => {
    if (action.type.startsWith("test/") && !idOf(version, meta.id).includes(` ${nodeId} `)) {
      came.push({
        type: action.type,
        n: action.n,
        bytes: action.text?.length,
        id: idOf(version, meta.id),
        time: meta.time,
      });
    }
  });
  const connection = new Reconnect(new WsConnection(URL_OF_SERVER, WebSocket), {
    minDelay: 50,
    maxDelay: 200,
  });
  const node = new ClientNode(nodeId, log, connection, { token, subprotocol: 1, ...options });
  node.catch((error) => errors.push(error));
  return { version, node, log, came, errors, connection };
}

async function synchronized(side) {
  side.connection.connect();
  await until(() => side.node.state === "synchronized", `${side.node.localNodeId} is synchronized`);
}

async function add(side, type, n, more = {}) {
  await side.log.add({ type, n, ...more }, { reasons: ["test"] });
}

/** Sends texts over a bare WebSocket; what came until it was closed, or until there are `enough` answers. */
function talk(texts, enough = Number.POSITIVE_INFINITY) {
  return new Promise((done, failed) => {
    const socket = new WebSocket(URL_OF_SERVER);
    const answers = [];
    const timer = setTimeout(() => failed(new Error(`no end after ${JSON.stringify(answers)}`)), WAIT_MS);
    const end = (code) => {
      clearTimeout(timer);
      socket.terminate();
      done({ answers, code });
    };
    socket.on("open", () => {
      for (const text of texts) {
        if (typeof text === "string") socket.send(text);
        else text(socket);
      }
    });
    socket.on("message", (data) => {
      answers.push(JSON.parse(data.toString()));
      if (answers.length >= enough) end(0);
    });
    socket.on("close", end);
    socket.on("error", failed);
  });
}

const connect = (version, nodeId, options, synced = 2 ** 52) =>
  JSON.stringify(["connect", version, nodeId, synced, options]);

async function bothDirections(a, b) {
  await Promise.all([synchronized(a), synchronized(b)]);
  const between = `${a.version} and ${b.version}`;
  await add(a, "test/one", 1);
  await until(() => b.came.length === 1, `an action came, ${between}`);
  const entry = await a.log.store.getLastAdded();
  check(entry > 0, "the log has it");
  check(Math.abs(b.came[0].time - Date.now()) < 5_000, `its time is right, ${between}`);
  for (let n = 0; n < 250; n++) await add(b, "test/many", n);
  await until(() => a.came.length === 250, `all actions came, ${between}`);
  same(
    a.came.map((c) => c.n),
    Array.from({ length: 250 }, (_, n) => n),
    `in order and once, ${between}`,
  );
  await until(
    () => a.node.state === "synchronized" && b.node.state === "synchronized",
    "both are synchronized",
  );
  await add(a, "test/large", 2, { text: LARGE });
  await until(() => b.came.length === 2, `a message of 350 KB came, ${between}`);
  same(b.came[1].bytes, LARGE.length, `whole, ${between}`);
}

async function wrongClock(a) {
  for (const version of [5, 7]) {
    const late = client(version, `peer-c:clock${version}:1`, "token-c");
    const wrong = () => Date.now() - HOUR_MS;
    if (version === 5) late.node.now = wrong;
    else late.log.now = wrong;
    await synchronized(late);
    const before = a.came.length;
    await late.log.add({ type: "test/clock", n: 1 }, { reasons: ["test"], time: wrong() });
    await until(() => a.came.length > before, "an action of a clock an hour wrong came");
    check(Math.abs(a.came.at(-1).time - Date.now()) < 5_000, `its time was corrected, ${version}`);
    late.node.destroy();
  }
}

async function refusals() {
  for (const version of [5, 7]) {
    const stranger = client(version, "peer-a:stranger:1", "guess");
    stranger.connection.connect();
    await until(() => stranger.errors.length > 0, "a stranger is told");
    same(stranger.errors[0].type, "wrong-credentials", `a wrong token, ${version}`);
    const other = client(version, "peer-a:other:1", "token-a", { subprotocol: 2 });
    other.connection.connect();
    await until(() => other.errors.length > 0, "another subprotocol is told");
    same(
      [other.errors[0].type, other.errors[0].options],
      ["wrong-subprotocol", { supported: 1, used: 2 }],
      `another subprotocol, ${version}`,
    );
    for (const side of [stranger, other]) side.node.destroy();
  }
  same(
    (await talk([connect(3, "peer-a:x:1", { token: "token-a" })])).answers,
    [["error", "wrong-protocol", { supported: 5, used: 3 }]],
    "too old a protocol",
  );
  same(
    (await talk([connect(7, "peer-b:x:1", { token: "token-a" })])).answers,
    [["error", "wrong-credentials"]],
    "another user's token",
  );
  same(
    (await talk([connect(5, "server:x:1", { token: "token-a" })])).answers,
    [["error", "wrong-credentials"]],
    "the server's own user",
  );
  same(
    (await talk([connect(5, "peer-a:x:1", { token: "token-a", subprotocol: [3, 4] })])).answers,
    [["error", "wrong-subprotocol", { supported: 1, used: [3, 4] }]],
    "a pair",
  );
}

const MALFORMED = [
  "{",
  "",
  "null",
  "1",
  "{}",
  "[]",
  "[1]",
  '["headers",null]',
  '["connect",5,"a",0,null]',
  '["sync",1,null,{}]',
  '["sync",1,{"type":"a"},null]',
  '["sync",1,{"type":"a"},{"id":"a!","time":1}]',
  '["connect"]',
  '["connect",7,"a",0,{},1]',
  '["connected",7,"a",[1]]',
  '["ping"]',
  '["pong","1"]',
  '["ready",[]]',
  '["synced"]',
  '["debug","info","x"]',
  '["error",1]',
];

async function malformed(bystander) {
  for (const text of MALFORMED) {
    const { answers } = await talk([text]);
    same(answers, [["error", "wrong-format", text]], `malformed: ${text}`);
  }
  same(
    (await talk(['[ "ping", "1" ]'])).answers,
    [["error", "wrong-format", '["ping","1"]']],
    "as JSON.stringify writes it",
  );
  for (const name of ["unknown", "duilian", "toString", "constructor"]) {
    same(
      (await talk([JSON.stringify([name, "x"])])).answers,
      [["error", "unknown-message", name]],
      `unknown: ${name}`,
    );
  }
  const early = await talk(Array.from({ length: 200 }, () => '["ping",1]'));
  same([early.answers, early.code], [[], 1008], "too much before connect");
  const after = await talk([connect(7, "peer-c:after:1", { token: "token-c" }, 0), '["synced",null]']);
  same(after.answers.at(-1), ["error", "wrong-format", '["synced",null]'], "malformed behind a connect");
  const large = await talk([`["debug","error","${"x".repeat(1_100_000)}"]`]);
  same(large.code, 1009, "a message over the limit");
  same((await talk([(socket) => socket.send(Buffer.from([1, 2]))])).code, 1003, "a binary message");
  same(bystander.node.state, "synchronized", "a bystander is unharmed");
}

async function pieces(bystander) {
  const before = bystander.came.length;
  const sync = JSON.stringify(["sync", 1, { type: "test/pieces", n: 1, text: LARGE }, { id: 5, time: 5 }]);
  const { answers } = await talk(
    [
      connect(5, "peer-c:pieces:1", { token: "token-c" }),
      (socket) => {
        for (let at = 0; at < sync.length; at += 40_000) {
          socket.send(sync.slice(at, at + 40_000), { fin: at + 40_000 >= sync.length });
        }
      },
      '["ping",1]',
    ],
    60,
  ).catch((error) => ({ answers: [String(error)] }));
  check(Array.isArray(answers), "a connection of pieces");
  await until(() => bystander.came.length > before, "a message in pieces came");
  same(bystander.came.at(-1).bytes, LARGE.length, "it is whole");
}

async function rights(a) {
  const reader = client(7, "reader:1:1", "token-r");
  await synchronized(reader);
  await add(reader, "test/refused", 1);
  await until(() => reader.node.state === "synchronized", "what is refused is confirmed");
  await add(a, "test/secret/x", 1);
  await add(a, "test/told", 2);
  await until(() => reader.came.some((c) => c.type === "test/told"), "a reader reads");
  check(!reader.came.some((c) => c.type.startsWith("test/secret")), "a reader does not read what it may not");
  await add(a, "forbidden/x", 3);
  await until(() => a.node.state === "synchronized", "a node's refused action is confirmed");
  reader.node.destroy();
  const later = client(5, "reader:2:1", "token-r");
  await synchronized(later);
  await until(() => later.came.some((c) => c.type === "test/told"), "history is read");
  check(!later.came.some((c) => c.type.startsWith("test/secret")), "nor in history");
  later.node.destroy();
  const auditor = client(7, "peer-c:auditor:1", "token-c");
  const all = [];
  auditor.log.on("add", (action) => all.push(action.type));
  await synchronized(auditor);
  await until(() => all.includes("test/secret/x"), "a node reads everything");
  check(
    !all.includes("test/refused") && !all.includes("forbidden/x"),
    "what may not be written is not there",
  );
  check(
    all.some((type) => type.startsWith("mirrorwatch/")),
    "our own actions are there",
  );
  auditor.node.destroy();
}

async function zombies() {
  const first = await new Promise((done) => {
    const socket = new WebSocket(URL_OF_SERVER);
    socket.on("open", () => socket.send(connect(7, "peer-c:twin:1", { token: "token-c" })));
    socket.once("message", () => done(socket));
  });
  const ended = new Promise((done) => first.on("close", done));
  const second = client(7, "peer-c:twin:2", "token-c");
  await synchronized(second);
  same(await ended, 1001, "a new connection ends the older one of the same client");
  second.node.destroy();
}

async function restart(a, b) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const before = { a: a.came.length, b: b.came.length };
  // One side has more to send than is confirmed when the server dies.
  for (let n = 0; n < 500; n++) await add(b, "test/cut", n);
  console.log("restart");
  await lines.next();
  for (let n = 500; n < 600; n++) await add(b, "test/cut", n);
  b.connection.connect();
  a.connection.connect();
  await until(() => a.came.length >= before.a + 600, "everything came behind the restart");
  await until(
    () => a.node.state === "synchronized" && b.node.state === "synchronized",
    "both are synchronized again",
  );
  same(
    a.came.slice(before.a).map((c) => c.n),
    Array.from({ length: 600 }, (_, n) => n),
    "once and in order, over a kill",
  );
  await add(a, "test/after", 1);
  await until(() => b.came.length === before.b + 1, "and in the other direction");
}

const a = client(7, "peer-a:1:1", "token-a");
const b = client(5, "peer-b:1:1", "token-b");
await bothDirections(a, b);
await wrongClock(a);
await refusals();
await malformed(a);
await pieces(a);
await rights(a);
await zombies();
await restart(a, b);
a.node.destroy();
b.node.destroy();

if (problems.length > 0) {
  console.log(`${problems.length} problems`);
  process.exit(1);
}
console.log("logux: all checks hold");
process.exit(0);
