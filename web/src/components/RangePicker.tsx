import { custom, customIsOpen, RANGES, range, setRange, windowText } from "../view";

/** How far back the figures of this view look. */
export function RangePicker() {
  return (
    <fieldset class="segments" data-range={custom.value === null ? range.value : "custom"}>
      <legend class="visually-hidden">How far back</legend>
      {RANGES.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={custom.value === null && range.value === each}
          onClick={() => setRange(each)}
          title={`Figures of the last ${windowText(each)} ([ and ] step)`}
        >
          {windowText(each)}
        </button>
      ))}
      <button
        type="button"
        aria-pressed={custom.value !== null}
        aria-expanded={custom.value !== null || customIsOpen.value}
        onClick={() => {
          customIsOpen.value = !customIsOpen.value;
        }}
        title="Figures of a time of your own choice"
      >
        Custom
      </button>
    </fieldset>
  );
}
