import * as format from "../format";
import type { Num } from "../shapes";

const WIDTH = 144;
const HEIGHT = 26;

/** The course of a rate, without axes: its extremes stand in the label. Gaps stay gaps. */
export function Sparkline({ values, label }: { values: readonly Num[]; label: string }) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return null;
  const top = Math.max(...known, Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, values.length - 1);
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${(index * step).toFixed(1)} ${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`;
    pen = "L";
  });
  const summary = `${label}: between ${format.rate(Math.min(...known))} and ${format.rate(Math.max(...known))} per second`;
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={summary}
      preserveAspectRatio="none"
    >
      <title>{summary}</title>
      <path d={path} />
    </svg>
  );
}
