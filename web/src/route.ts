/**
 * Which page an address names, and how the page goes from one to the next without loading the document again. All that a
 * page shows is in its address, so that every view can be sent to somebody, and back and forward work.
 */
import { type Signal, signal } from "@preact/signals";

export type Route =
  | { page: "overview" }
  | { page: "misses"; query: string }
  | { page: "mirror"; id: string }
  | { page: "did"; did: string }
  | { page: "op"; did: string; cid: string }
  | { page: "compare"; query: string }
  | { page: "events"; query: string }
  | { page: "live"; query: string }
  | { page: "incidents"; query: string }
  | { page: "vantages"; query: string }
  | { page: "incident"; id: string }
  | { page: "methodology" }
  | { page: "internals" }
  | { page: "nodes" }
  | { page: "readiness" }
  | { page: "docs"; view: "api" | "errors" }
  | { page: "nowhere"; path: string };

export const DID = /^did:plc:[a-z2-7]{24}$/;
export const CID = /^bafyrei[a-z2-7]{52}$/;
const ID = /^[a-z0-9][a-z0-9._-]*$/i;

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

export function parse(path: string, search: string): Route {
  const nowhere: Route = { page: "nowhere", path };
  const parts = path.split("/").slice(1).map(decoded);
  const [first, second, third] = parts;
  if (path === "/") return { page: "overview" };
  const query = search.replace(/^\?/, "");
  if (
    path === "/misses" ||
    path === "/compare" ||
    path === "/events" ||
    path === "/incidents" ||
    path === "/vantages" ||
    path === "/live"
  )
    return {
      page: path.slice(1) as "misses" | "compare" | "events" | "incidents" | "vantages" | "live",
      query,
    };
  if (path === "/methodology" || path === "/internals" || path === "/nodes" || path === "/readiness")
    return { page: path.slice(1) as "methodology" | "internals" | "nodes" | "readiness" };
  if (path === "/docs" || path === "/docs/errors")
    return { page: "docs", view: path === "/docs" ? "api" : "errors" };
  if (first === "mirrors" && second && parts.length === 2 && ID.test(second))
    return { page: "mirror", id: second };
  if (first === "incidents" && second && parts.length === 2 && ID.test(second))
    return { page: "incident", id: second };
  if (first === "did" && second && parts.length === 2 && DID.test(second))
    return { page: "did", did: second };
  if (first === "op" && second && third && parts.length === 3 && DID.test(second) && CID.test(third))
    return { page: "op", did: second, cid: third };
  return nowhere;
}

export const route: Signal<Route> = signal(parse("/", ""));
/** The question of the address, for what all views have in common. */
export const search: Signal<string> = signal("");

/** Takes the address as it is now. */
export function here(): Route {
  const next = parse(location.pathname, location.search);
  search.value = location.search;
  route.value = next;
  return next;
}

/** What goes along from view to view; the ends of a span only where one was chosen: elsewhere they are filters of a list. */
const KEPT = ["range", "tz"] as const;
const ENDS = ["from", "to"] as const;

/** An address with what goes along, as far as it does not say so itself. */
export function kept(href: string): string {
  const now = new URLSearchParams(location.search);
  const next = new URL(href, location.origin);
  const range = next.searchParams.get("range") ?? now.get("range");
  for (const name of range === "custom" ? [...KEPT, ...ENDS] : KEPT) {
    const value = now.get(name);
    if (value !== null && !next.searchParams.has(name)) next.searchParams.set(name, value);
  }
  return next.pathname + next.search + next.hash;
}

/**
 * Whether an address needs a document of its own: the live page alone may connect to the sources, and what it may is said in the
 * head of its document.
 */
function isOfOtherDocument(to: Route): boolean {
  return (to.page === "live") !== (route.value.page === "live");
}

/** Goes to an address of this page. `replace` for a change of filters, which is no step back of its own. */
export function go(href: string, replace = false): void {
  const to = new URL(href, location.href);
  if (isOfOtherDocument(parse(to.pathname, to.search))) {
    location.assign(kept(href));
    return;
  }
  const before = route.value.page;
  if (replace) history.replaceState(history.state, "", kept(href));
  // The state only tells that somebody has gone here, and has not opened the document here.
  else history.pushState({}, "", kept(href));
  const next = here();
  const moved = next.page !== before || !("query" in next);
  if (moved) {
    scrollTo(0, 0);
    // Whoever reads by ear or key begins at the new page's heading.
    requestAnimationFrame(() => document.querySelector<HTMLElement>("main h1")?.focus());
  }
}

/** The link that a click follows, where it leads to another view of this page. */
function follows(event: MouseEvent): string | null {
  if (event.defaultPrevented || event.button !== 0) return null;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link === null || link.target !== "" || link.hasAttribute("download")) return null;
  if (link.origin !== location.origin || link.hash !== "") return null;
  const to = parse(link.pathname, link.search);
  return to.page === "nowhere" || isOfOtherDocument(to) ? null : link.pathname + link.search;
}

export function startRouting(): void {
  here();
  addEventListener("popstate", here);
  document.addEventListener("click", (event) => {
    const href = follows(event);
    if (href === null) return;
    event.preventDefault();
    go(href);
  });
}

export const paths = {
  did: (did: string) => `/did/${did}`,
  op: (did: string, cid: string) => `/op/${did}/${cid}`,
  mirror: (id: string) => `/mirrors/${encodeURIComponent(id)}`,
  misses: (filters: Record<string, string> = {}) => {
    const query = new URLSearchParams(filters).toString();
    return query === "" ? "/misses" : `/misses?${query}`;
  },
  compare: (a: string, b: string, window: string) => `/compare?${new URLSearchParams({ a, b, window })}`,
  events: (filters: Record<string, string> = {}) => {
    const query = new URLSearchParams(filters).toString();
    return query === "" ? "/events" : `/events?${query}`;
  },
};
