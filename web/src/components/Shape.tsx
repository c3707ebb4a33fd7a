import type { StateWord } from "../words";

/** A state as shape, colour and word; the word carries the meaning for whoever sees neither of the others. */
export function Shape({ state, wordless }: { state: StateWord; wordless?: boolean }) {
  return (
    <span class={`state tone-${state.tone}`}>
      <span class="shape" aria-hidden="true">
        {state.shape}
      </span>
      {wordless ? null : <span class="word">{state.word}</span>}
    </span>
  );
}
