import { RANGES, range, setRange, windowText } from "../view";

/** How far back the figures of this view look. */
export function RangePicker() {
  return (
    <fieldset class="segments" data-range={range.value}>
      <legend class="visually-hidden">How far back</legend>
      {RANGES.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={range.value === each}
          onClick={() => setRange(each)}
          title={`Figures of the last ${windowText(each)} ([ and ] step)`}
        >
          {windowText(each)}
        </button>
      ))}
    </fieldset>
  );
}
