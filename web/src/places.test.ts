import { afterEach, expect, it, vi } from "vitest";
import { placeOf, placeOfCid } from "./places";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const CID = "bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq";
const MIRRORS = [
  { id: "plc-klbr-net", name: "plc.klbr.net" },
  { id: "plc-example", name: "PLC.example" },
];

afterEach(() => vi.unstubAllGlobals());

it.each([
  [DID, `/did/${DID}`],
  [` ${DID} `, `/did/${DID}`],
  [`https://plc.directory/${DID}/log`, `/did/${DID}`],
  [`${DID} ${CID}`, `/op/${DID}/${CID}`],
  [`/op/${DID}/${CID}`, `/op/${DID}/${CID}`],
  ["plc.example", "/mirrors/plc-example"],
  ["klbr", "/mirrors/plc-klbr-net"],
])("%s leads to %s", (text, href) => expect(placeOf(text, MIRRORS)).toEqual({ kind: "at", href }));

it("says why something leads nowhere", () => {
  const why = (text: string) => {
    const place = placeOf(text, MIRRORS);
    return place.kind === "none" ? place.why : place.kind;
  };
  expect(why("")).toMatch(/^Type/);
  expect(why("did:plc:short")).toMatch(/24 characters/);
  expect(why("bafyshort")).toMatch(/52 characters/);
  expect(why("plc")).toBe("Which one: plc.klbr.net, PLC.example?");
  expect(why("nobody")).toMatch(/No mirror is called/);
  expect(why(CID)).toBe("cid");
});

it("looks for a CID among what is not on time, and says so when it is not there", async () => {
  const lists = (found: string) => async (url: string) =>
    new Response(
      JSON.stringify({
        data: { ops: url.includes("verdict=late&") ? [{ did: DID, cid: found }] : [] },
        meta: {},
      }),
    );
  vi.stubGlobal("fetch", vi.fn(lists(CID)));
  const signal = new AbortController().signal;
  expect(await placeOfCid(CID, signal)).toEqual({ kind: "at", href: `/op/${DID}/${CID}` });
  vi.stubGlobal("fetch", vi.fn(lists("other")));
  expect(await placeOfCid(CID, signal)).toMatchObject({ kind: "none" });
});
