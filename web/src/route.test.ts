import { beforeEach, describe, expect, it } from "vitest";
import { go, parse, paths, route, startRouting } from "./route";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const CID = "bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq";

describe("addresses", () => {
  it("lead to their page and back", () => {
    expect(parse("/", "")).toEqual({ page: "overview" });
    expect(parse(paths.did(DID), "")).toEqual({ page: "did", did: DID });
    expect(parse(paths.op(DID, CID), "")).toEqual({ page: "op", did: DID, cid: CID });
    expect(parse("/docs", "")).toEqual({ page: "docs", view: "api" });
    expect(parse("/docs/errors", "")).toEqual({ page: "docs", view: "errors" });
    expect(parse(paths.mirror("plc-klbr-net"), "")).toEqual({ page: "mirror", id: "plc-klbr-net" });
    expect(paths.misses({ mirror: "m", kind: "update" })).toBe("/misses?mirror=m&kind=update");
    expect(parse("/misses", "?mirror=m")).toEqual({ page: "misses", query: "mirror=m" });
    expect(parse(`/did/${encodeURIComponent(DID)}`, "")).toEqual({ page: "did", did: DID });
  });

  it("that name nothing are nowhere", () => {
    for (const path of [
      "/did/did:plc:short",
      `/op/${DID}`,
      `/op/${DID}/bafy`,
      "/mirrors/",
      "/mirrors/a/b",
      "/x",
      "/did/%E0",
    ])
      expect(parse(path, "").page, path).toBe("nowhere");
  });
});

describe("links", () => {
  beforeEach(() => {
    document.body.replaceChildren();
    history.replaceState(null, "", "/");
  });

  /** Whether the page took the click for itself. */
  function click(href: string, init: MouseEventInit = {}, attributes: Record<string, string> = {}): boolean {
    const link = document.createElement("a");
    link.href = href;
    for (const [name, value] of Object.entries(attributes)) link.setAttribute(name, value);
    document.body.append(link);
    let taken = false;
    const look = (event: Event) => {
      taken = event.defaultPrevented;
      event.preventDefault();
    };
    addEventListener("click", look, { once: true });
    link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ...init }));
    return taken;
  }

  it("to other views change the view and not the document", () => {
    startRouting();
    expect(click("/misses?kind=update")).toBe(true);
    expect(route.value).toEqual({ page: "misses", query: "kind=update" });
    expect(location.pathname + location.search).toBe("/misses?kind=update");
  });

  it("to anything else are the browser's", () => {
    for (const taken of [
      click("/api/v1/overview"),
      click("/misses", { ctrlKey: true }),
      click("/misses", { button: 1 }),
      click("/misses", {}, { download: "" }),
      click("/misses", {}, { target: "_blank" }),
    ])
      expect(taken).toBe(false);
  });

  it("a change of filters may leave no step behind", () => {
    const before = history.length;
    go("/misses?kind=update", true);
    expect(history.length).toBe(before);
    expect(route.value).toEqual({ page: "misses", query: "kind=update" });
  });
});
