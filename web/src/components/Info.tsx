import { type About, command, formulas, loadFormulas, SOURCES } from "../explain";
import * as format from "../format";
import { DEFINITIONS } from "../words";

/** Values that a figure is made of, by their names. */
export type Inputs = readonly (readonly [name: string, value: string])[];

interface Props {
  about: About;
  label: string;
  inputs?: Inputs | undefined;
  /** The window of the figure, where it does not follow the range. */
  window?: string | undefined;
}

/** The ⓘ of a figure: what it means, its formula and inputs, and how to get the same number; opens in place. */
export function Info({ about, label, inputs, window }: Props) {
  return (
    <details class="info" onToggle={load}>
      <summary aria-label={`What is ${label}?`} title={DEFINITIONS[about]}>
        <span aria-hidden="true">i</span>
      </summary>
      <Explanation about={about} inputs={inputs} window={window} />
    </details>
  );
}

/** The same where room is short: the term itself opens its definition. */
export function Term({ about, label }: Props) {
  return (
    <details class="info term" onToggle={load}>
      <summary title={DEFINITIONS[about]}>{label}</summary>
      <Explanation about={about} />
    </details>
  );
}

function load(event: Event): void {
  if ((event.currentTarget as HTMLDetailsElement).open) void loadFormulas();
}

function Explanation({ about, inputs = [], window }: Omit<Props, "label">) {
  const { formula } = SOURCES[about];
  const text = formulas.value.get(formula);
  return (
    <div class="explains" data-about={about}>
      <p>{DEFINITIONS[about]}</p>
      {text === undefined ? null : (
        <p>
          <code data-formula={formula}>{format.visible(text)}</code>
        </p>
      )}
      {inputs.length === 0 ? null : (
        <ul>
          {inputs.map(([name, value]) => (
            <li key={name}>
              {name}: <b>{value}</b>
            </li>
          ))}
        </ul>
      )}
      <p>
        <a href={`/methodology#${formula}`}>How it is made</a>; the same number:
        <code class="command">{command(about, location.origin, window)}</code>
      </p>
    </div>
  );
}
