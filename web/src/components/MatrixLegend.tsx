import { STEPS } from "../cells";

const MARKS = [
  { class: "step-full provisional", label: "provisional" },
  { class: "step-none unknown", label: "unknown" },
  { class: "step-full has-extra", label: "with extras" },
  { class: "step-full impaired", label: "observer impaired" },
] as const;

export function MatrixLegend() {
  return (
    <ul class="legend" aria-label="Legend of the matrix">
      {STEPS.map(({ step, label }) => (
        <li key={step}>
          <span class={`cell step-${step}`} aria-hidden="true" /> {label}
        </li>
      ))}
      {MARKS.map((mark) => (
        <li key={mark.label}>
          <span class={`cell ${mark.class}`} aria-hidden="true" /> {mark.label}
        </li>
      ))}
    </ul>
  );
}
