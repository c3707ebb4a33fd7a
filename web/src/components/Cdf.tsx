import { useRef } from "preact/hooks";
import { tickText } from "../lag-series";
import { type Curve, DECADES_MS, MINOR_MS, place, stepPath } from "../log-axis";
import { useWidth } from "./width";

const HEIGHT = 200;
const LEFT = 42;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 24;
/** Below this there is room for every other label only. */
const NARROW_PX = 300;
/** Where lines go across, of the whole. */
const SHARES = [0, 0.25, 0.5, 0.75, 1];

export interface CdfLine {
  id: string;
  curve: Curve;
  /** Which of the colours of series. */
  slot: number;
}

interface Props {
  lines: readonly CdfLine[];
  summary: string;
  /** Where the axis says that a mirror's lag cannot be told from none: that much of its beginning is hatched. */
  noiseMs?: number | null;
}

/** Distributions on the one axis of all: how large a share had come after how long. */
export function Cdf({ lines, summary, noiseMs = null }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const width = Math.max(0, useWidth(host) - LEFT - RIGHT);
  const height = HEIGHT - TOP - BOTTOM;
  const x = (ms: number) => place(ms) * width;
  return (
    <div class="cdf" ref={host}>
      <svg width="100%" height={HEIGHT} role="img" aria-label={summary}>
        <title>{summary}</title>
        <Hatch />
        {width === 0 ? null : (
          <g transform={`translate(${LEFT} ${TOP})`}>
            {noiseMs === null || noiseMs <= 1 ? null : (
              <rect class="noise" x="0" y="0" width={x(noiseMs)} height={height} fill="url(#hatched)" />
            )}
            {MINOR_MS.map((ms) => (
              <line key={ms} class="grid faint" x1={x(ms)} x2={x(ms)} y1="0" y2={height} />
            ))}
            {DECADES_MS.map((ms, index) => (
              <g key={ms}>
                <line class="grid" x1={x(ms)} x2={x(ms)} y1="0" y2={height} />
                {width < NARROW_PX && index % 2 === 1 ? null : (
                  <text x={x(ms)} y={height + 17} text-anchor={ms === 100_000 ? "end" : "middle"}>
                    {ms === 1 ? `≤${tickText(ms)}` : tickText(ms)}
                  </text>
                )}
              </g>
            ))}
            {SHARES.map((share) => (
              <g key={share}>
                <line class="grid" x1="0" x2={width} y1={(1 - share) * height} y2={(1 - share) * height} />
                <text x="-6" y={(1 - share) * height + 4} text-anchor="end">
                  {share * 100} %
                </text>
              </g>
            ))}
            {lines.map((line) => (
              <path
                key={line.id}
                class={`curve series-${(line.slot % 6) + 1} dash-${Math.floor(line.slot / 6) % 4}`}
                d={stepPath(line.curve, width, height)}
                data-curve={line.id}
              />
            ))}
          </g>
        )}
      </svg>
    </div>
  );
}

/** What an unknown or voided span is drawn with, in every picture. */
export function Hatch() {
  return (
    <defs>
      <pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <line class="hatch-line" x1="0" x2="0" y1="0" y2="6" />
      </pattern>
    </defs>
  );
}
