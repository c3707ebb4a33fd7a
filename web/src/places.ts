/** What somebody types to find a mirror, a DID or an operation, and where that leads. */
import { ask } from "./answer";
import { CID, DID, paths } from "./route";
import type { OpsList } from "./shapes";

/** What a search can lead to at once. */
export interface Named {
  id: string;
  name: string;
}

export type Place =
  | { kind: "at"; href: string }
  /** A CID alone: which DID it is of has to be asked for. */
  | { kind: "cid"; cid: string }
  | { kind: "none"; why: string };

/** A DID, a DID with a CID in any common spelling, a CID, or (part of) a mirror's name or id. */
export function placeOf(text: string, mirrors: readonly Named[]): Place {
  const words = text
    .trim()
    .replace(/^at:\/\//, "")
    .split(/[\s/,?#]+/)
    .filter((word) => word !== "");
  const did = words.find((word) => DID.test(word));
  const cid = words.find((word) => CID.test(word));
  if (did !== undefined) return { kind: "at", href: cid === undefined ? paths.did(did) : paths.op(did, cid) };
  if (cid !== undefined) return { kind: "cid", cid };
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return { kind: "none", why: "Type a DID, a CID or the name of a mirror." };
  if (wanted.startsWith("did:"))
    return { kind: "none", why: "A DID of this directory is did:plc: and 24 characters a–z 2–7." };
  if (wanted.startsWith("baf"))
    return { kind: "none", why: "A CID of an operation is bafyrei and 52 characters a–z 2–7." };
  return mirror(wanted, mirrors);
}

function mirror(wanted: string, mirrors: readonly Named[]): Place {
  const exact = mirrors.find(({ id, name }) => id === wanted || name.toLowerCase() === wanted);
  const like = mirrors.filter(({ id, name }) => id.includes(wanted) || name.toLowerCase().includes(wanted));
  const found = exact ?? (like.length === 1 ? like[0] : undefined);
  if (found !== undefined) return { kind: "at", href: paths.mirror(found.id) };
  const some = like.map(({ name }) => name).join(", ");
  return {
    kind: "none",
    why: some === "" ? `No mirror is called “${wanted}”, and it is no DID or CID.` : `Which one: ${some}?`,
  };
}

/** Outcomes that are looked through for a CID: what is not as it should be, which is what people look for. */
const LISTS = ["missed", "late", "extra", "extra_pending", "unknown", "pending"] as const;
const LIST_LIMIT = 1_000;

/**
 * Where an operation is whose DID is not known: the API lists operations by DID, so that the newest of those that are not on
 * time are looked through.
 */
export async function placeOfCid(cid: string, signal: AbortSignal): Promise<Place> {
  for (const verdict of LISTS) {
    const { page, failure } = await ask<OpsList>(
      `/api/v1/ops?verdict=${verdict}&limit=${LIST_LIMIT}`,
      signal,
    );
    if (failure !== null) return { kind: "none", why: `The server did not tell: ${failure.detail}.` };
    const found = page?.data.ops.find((op) => op.cid === cid);
    if (found !== undefined) return { kind: "at", href: paths.op(found.did, found.cid) };
  }
  return {
    kind: "none",
    why: `This CID is not among the newest ${LIST_LIMIT} of each kind that are missed, late, extra, pending or unknown. With its DID in front of it, any operation is found.`,
  };
}
