import { DEFINITIONS } from "../words";

/** The ⓘ of a figure: a short definition that opens in place, without a script and by keyboard. */
export function Info({ about, label }: { about: keyof typeof DEFINITIONS; label: string }) {
  return (
    <details class="info">
      <summary aria-label={`What is ${label}?`} title={DEFINITIONS[about]}>
        <span aria-hidden="true">i</span>
      </summary>
      <p>{DEFINITIONS[about]}</p>
    </details>
  );
}

/** The same where room is short: the term itself opens its definition. */
export function Term({ about, label }: { about: keyof typeof DEFINITIONS; label: string }) {
  return (
    <details class="info term">
      <summary title={DEFINITIONS[about]}>{label}</summary>
      <p>{DEFINITIONS[about]}</p>
    </details>
  );
}
