import * as format from "../format";
import { paths } from "../route";
import { overview } from "../state";

/** A DID that leads to its page. Only its own letters are shown: what every DID has in common says nothing. */
export function DidLink({ did }: { did: string }) {
  return (
    <a class="id" href={paths.did(did)} title={did}>
      {did.replace("did:plc:", "")}
    </a>
  );
}

/** A CID that leads to the page of its operation; its end tells it from others. */
export function OpLink({ did, cid }: { did: string; cid: string }) {
  return (
    <a class="id" href={paths.op(did, cid)} title={cid}>
      …{cid.slice(-8)}
    </a>
  );
}

export function mirrorName(id: string): string {
  const known = overview.state.value.page?.data.mirrors.find((mirror) => mirror.id === id);
  return format.visible(known?.name ?? id);
}

/** A mirror's name that leads to its page. */
export function MirrorLink({ id }: { id: string }) {
  return (
    <a href={paths.mirror(id)}>
      <bdi>{mirrorName(id)}</bdi>
    </a>
  );
}

/** An instant of the API: its time, with the whole of it for whoever points at it. */
export function At({ at }: { at: string }) {
  return (
    <time dateTime={at} title={at}>
      {format.fineClock(at)}
    </time>
  );
}
