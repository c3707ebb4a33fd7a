/**
 * npm's `@logux/server` on this machine, for our node as its client: it knows one token, one type and one channel, and says at
 * which port it listens.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { Server } = await import(pathToFileURL(require.resolve("@logux/server")).href);

const http = createServer();
await new Promise((listening) => http.listen(0, "127.0.0.1", listening));

const silent = () => {};
const logger = { debug: silent, error: console.error, fatal: console.error, info: silent, warn: silent };
const server = new Server({ server: http, subprotocol: 1, minSubprotocol: 1, logger });
server.auth(({ token, userId }) => userId === "paris" && token === "token-p");
server.type("test/add", { access: () => true });
server.channel("numbers/:n", {
  access: () => true,
  load: (context) => ({ type: "test/number", n: Number(context.params.n) }),
});
await server.listen();
console.log(`port ${http.address().port}`);
