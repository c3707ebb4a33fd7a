import * as format from "../format";
import type { Counts } from "../shapes";

const WIDTH = 160;
/** A share that exists is never thinner than this, or one miss in a million would vanish. */
const THINNEST = 2;

/** The thin stacked bar: on time and present, late, missed, pending, unknown, as shares of the eligible operations. */
export function CoverageBar({ counts }: { counts: Counts }) {
  const parts = [
    { tone: "ok", word: "on time or present", n: (counts.on_time ?? 0) + (counts.present ?? 0) },
    { tone: "late", word: "late", n: counts.late ?? 0 },
    { tone: "missed", word: "missed", n: counts.missed ?? 0 },
    { tone: "pending", word: "pending", n: counts.pending ?? 0 },
    { tone: "unknown", word: "unknown", n: counts.unknown ?? 0 },
  ].filter((part) => part.n > 0);
  const total = parts.reduce((sum, part) => sum + part.n, 0);
  const label =
    total === 0
      ? "no operations yet"
      : parts.map((part) => `${format.count(part.n)} ${part.word}`).join(", ");
  const widths = spread(parts.map((part) => (total === 0 ? 0 : (part.n / total) * WIDTH)));
  let x = 0;
  return (
    <svg class="bar" viewBox={`0 0 ${WIDTH} 5`} preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      <rect class="rail" width={WIDTH} height="5" />
      {parts.map((part, index) => {
        const width = widths[index] ?? 0;
        const at = x;
        x += width;
        return <rect key={part.tone} class={`fill-${part.tone}`} x={at} width={width} height="5" />;
      })}
    </svg>
  );
}

/** Raises each width to the thinnest and takes the difference from the widest. */
function spread(widths: number[]): number[] {
  const raised = widths.map((width) => Math.max(width, THINNEST));
  const over = raised.reduce((sum, width) => sum + width, 0) - WIDTH;
  const widest = raised.indexOf(Math.max(...raised));
  return raised.map((width, index) => (index === widest ? width - over : width));
}
