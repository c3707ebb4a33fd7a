/** What is drawn on every chart over time besides its lines: spans that are not to be trusted, and the band of noise. */
import type uPlot from "uplot";

export interface Marks {
  /** First millisecond of each interval. */
  times: readonly number[];
  resolutionS: number;
  /** Whether the observer was impaired in a part of it. */
  impaired: readonly (boolean | null)[];
  /** Half the width of the band around zero in which nothing can be told from noise, in units of the axis. */
  noise?: number | null;
}

interface Span {
  fromS: number;
  toS: number;
}

/** Intervals that are marked, those beside each other as one. */
export function spans(marks: Pick<Marks, "times" | "resolutionS" | "impaired">): Span[] {
  const found: Span[] = [];
  marks.times.forEach((t, index) => {
    if (marks.impaired[index] !== true) return;
    const [fromS, toS] = [t / 1000, t / 1000 + marks.resolutionS];
    const last = found.at(-1);
    if (last !== undefined && last.toS === fromS) last.toS = toS;
    else found.push({ fromS, toS });
  });
  return found;
}

const GAP_PX = 7;

function hatch(ctx: CanvasRenderingContext2D, left: number, top: number, width: number, height: number) {
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.beginPath();
  const gap = GAP_PX * devicePixelRatio;
  for (let x = left - height; x < left + width; x += gap) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
}

/** The band of noise, beneath the lines. */
export function drawNoise(plot: uPlot, noise: number, colour: string): void {
  const { ctx, bbox } = plot;
  const [high, low] = [plot.valToPos(noise, "y", true), plot.valToPos(-noise, "y", true)];
  ctx.save();
  ctx.globalAlpha = 0.28;
  ctx.fillStyle = colour;
  // A band thinner than a line would not be seen.
  const height = Math.max(2 * devicePixelRatio, low - high);
  ctx.fillRect(bbox.left, (high + low - height) / 2, bbox.width, height);
  ctx.restore();
}

/** Hatching over all that was drawn, where the observer was impaired. */
export function drawImpaired(plot: uPlot, marks: Marks, colour: string): void {
  const { ctx, bbox } = plot;
  for (const { fromS, toS } of spans(marks)) {
    const [from, to] = [plot.valToPos(fromS, "x", true), plot.valToPos(toS, "x", true)];
    const left = Math.max(bbox.left, from);
    const right = Math.min(bbox.left + bbox.width, to);
    if (right <= left) continue;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.globalAlpha = 0.6;
    ctx.lineWidth = devicePixelRatio;
    hatch(ctx, left, bbox.top, right - left, bbox.height);
    ctx.restore();
  }
}
