/**
 * A stand-in for the server, for work on the page: `npm run fixture` serves made-up pages and a live socket on
 * 127.0.0.1:7390 (PORT), and the built page of `web/dist` with the headers of the real one. `npm run dev` beside it gives
 * the page with hot reload. SCENARIO picks a state: demo, waiting, warming, impaired, empty.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { pages } from "./fixture-data.mjs";

const PORT = Number(process.env.PORT ?? 7390);
const SCENARIO = process.env.SCENARIO ?? "demo";
const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const PERIOD_MS = new Map([
  ["overview", 1_000],
  ["analytics/history?window=6h", 5_000],
]);
const TYPES = new Map([
  [".html", "text/html; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".svg", "image/svg+xml"],
]);
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const published = new Map();

function publish(topic) {
  const revision = (published.get(topic)?.revision ?? 0) + 1;
  const page = pages(Date.now(), revision, SCENARIO).get(topic);
  published.set(topic, { revision, etag: `"fixture.${revision}"`, body: JSON.stringify(page) });
  return revision;
}

function answer(response, status, headers, body) {
  response.writeHead(status, {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}

async function asset(path, response) {
  const isPage = /^\/($|misses$|did\/|op\/|mirrors\/)/.test(path);
  const name = isPage ? "index.html" : normalize(path).replace(/^(\.\.[/\\])+/, "");
  try {
    let body = await readFile(join(DIST, name));
    if (name === "index.html") {
      const initial = published.get("overview").body.replaceAll("<", "\\u003c");
      body = body
        .toString()
        .replace(
          "<!--initial-overview-->",
          () => `<script type="application/json" id="initial-overview">${initial}</script>`,
        );
    }
    answer(response, 200, { "content-type": TYPES.get(extname(name)) ?? "application/octet-stream" }, body);
  } catch {
    answer(response, 404, { "content-type": "text/plain" }, "not found; run `npm run build` for the page\n");
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (!url.pathname.startsWith("/api/v1/")) {
    void asset(url.pathname, response);
    return;
  }
  const page = published.get(url.pathname.slice("/api/v1/".length) + url.search);
  if (page === undefined) {
    answer(
      response,
      404,
      { "content-type": "application/problem+json" },
      '{"title":"Not Found","status":404,"code":"not_found"}',
    );
  } else if (request.headers["if-none-match"] === page.etag) {
    answer(response, 304, { etag: page.etag });
  } else {
    answer(response, 200, { "content-type": "application/json", etag: page.etag }, page.body);
  }
});

const sockets = new WebSocketServer({ server, path: "/api/v1/live" });
sockets.on("connection", (socket) => socket.send(JSON.stringify({ type: "hello", version: 1 })));

for (const [topic, period] of PERIOD_MS) {
  publish(topic);
  setInterval(() => {
    const notice = JSON.stringify({ type: "revision", topic, revision: publish(topic) });
    for (const socket of sockets.clients) socket.send(notice);
  }, period);
}

server.listen(PORT, "127.0.0.1", () => console.log(`fixture (${SCENARIO}): http://127.0.0.1:${PORT}/`));
