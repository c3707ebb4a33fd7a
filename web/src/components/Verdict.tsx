import { visible } from "../format";
import { worstFirst } from "../rank";
import type { Meta, Overview } from "../shapes";
import { mirrorState, observerState, SHAPES, type StateWord } from "../words";
import { DataAge } from "./DataAge";
import { Shape } from "./Shape";

/** The state that the sentence is about: the worst mirror's, unless the observer itself cannot tell. */
function worstState({ observer, mirrors }: Overview): StateWord {
  if (observer.state === "warming_up") return observerState(observer.state);
  const worst = worstFirst(mirrors)[0];
  return worst === undefined
    ? { tone: "unknown", shape: SHAPES.unknown, word: "no mirrors", rank: 9 }
    : mirrorState(worst.state);
}

/** The sentence that answers "is any mirror losing operations right now?", and how far to believe it. */
export function Verdict({ data, meta }: { data: Overview; meta: Meta }) {
  const observer = observerState(data.observer.state);
  return (
    <div class="verdict">
      <h1 aria-live="polite" aria-atomic="true">
        <Shape state={worstState(data)} wordless />
        <span data-figure="headline">{visible(data.headline)}</span>
      </h1>
      <p class="chips">
        <span class="chip" data-figure="observer" data-value={data.observer.state}>
          <Shape state={observer} />
        </span>
        <DataAge meta={meta} />
      </p>
    </div>
  );
}
