import { useRef, useState } from "preact/hooks";
import { visible } from "../format";
import { type Place, placeOf, placeOfCid } from "../places";
import { go } from "../route";
import { overview } from "../state";

/** Leads to a mirror, a DID or an operation by what it is called. */
export function SearchBox() {
  const [said, say] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const asking = useRef<AbortController | null>(null);
  const data = overview.state.value.page?.data;

  const follow = (place: Place) => {
    if (place.kind === "at") {
      say(null);
      if (field.current !== null) {
        field.current.value = "";
        field.current.blur();
      }
      go(place.href);
    } else if (place.kind === "none") say(place.why);
  };

  const find = async (event: Event) => {
    event.preventDefault();
    asking.current?.abort();
    const place = placeOf(field.current?.value ?? "", data?.mirrors ?? []);
    if (place.kind !== "cid") return follow(place);
    const leaving = new AbortController();
    asking.current = leaving;
    say("Looking for this CID…");
    const found = await placeOfCid(place.cid, leaving.signal);
    if (!leaving.signal.aborted) follow(found);
  };

  const quit = () => {
    asking.current?.abort();
    say(null);
  };

  return (
    <search class="search">
      <form onSubmit={find}>
        <input
          ref={field}
          id="search"
          type="text"
          list="mirror-names"
          autocomplete="off"
          spellcheck={false}
          placeholder="DID, CID or mirror"
          aria-label="Find a DID, a CID or a mirror"
          aria-keyshortcuts="/"
          aria-describedby={said === null ? undefined : "search-said"}
          onInput={quit}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            quit();
            event.currentTarget.blur();
          }}
        />
        <datalist id="mirror-names">
          {data?.mirrors.map((mirror) => (
            <option key={mirror.id} value={visible(mirror.name)} />
          ))}
        </datalist>
      </form>
      <p id="search-said" class="search-said" role="status" hidden={said === null}>
        {said === null ? "" : visible(said)}
      </p>
    </search>
  );
}
