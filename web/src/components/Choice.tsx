interface Props {
  label: string;
  /** What the filter is called in the address. */
  name: string;
  value: string;
  choices: readonly (readonly [value: string, text: string])[];
  set: (value: string) => void;
}

/** One filter of a list. A value that is none of the choices is shown as it is: what it finds says what is wrong with it. */
export function Choice({ label, name, value, choices, set }: Props) {
  const known = choices.some(([choice]) => choice === value)
    ? choices
    : [...choices, [value, value] as const];
  return (
    <label class="filter">
      <span>{label}</span>
      <select value={value} onChange={(event) => set(event.currentTarget.value)} data-filter={name}>
        {known.map(([choice, text]) => (
          <option key={choice} value={choice} selected={choice === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
