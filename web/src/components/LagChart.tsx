import { useCallback, useMemo, useState } from "preact/hooks";
import { spread } from "../ends";
import * as format from "../format";
import { type LagLine, lagSpec, lagSummary, newest, SLOTS } from "../lag-series";
import type { Num } from "../shapes";
import type { TimeSpec } from "../time-spec";
import { Info } from "./Info";
import { TimePlot } from "./TimePlot";
import { ChartHead, Twin } from "./Twin";

interface Props {
  of: Pick<TimeSpec, "times" | "resolutionS" | "impaired">;
  lines: LagLine[];
  /** Half the width of the band around zero that is within noise; null where it is not known. */
  noiseMs: Num;
  json: string;
}

/** Labels stand this far apart, and the last one this far above the bottom of the plot. */
const LABEL_PX = 19;
const LOWEST_PX = 205;

/** Lag of one or all mirrors over time: median, band, what is within noise; named where the lines end. */
export function LagChart({ of, lines, noiseMs, json }: Props) {
  const [cursor, setCursor] = useState<number | null>(null);
  const [ends, setEnds] = useState<string>("");
  const summary = lagSummary(lines);
  const spec = useMemo(() => lagSpec(of, lines, noiseMs), [of, lines, noiseMs]);
  const values = useMemo(() => lines.map(newest), [lines]);
  const take = useCallback((places: (number | null)[]) => setEnds(JSON.stringify(places)), []);
  const at = cursor === null ? undefined : of.times[cursor];
  const places = spread(
    ends === "" ? lines.map(() => null) : (JSON.parse(ends) as (number | null)[]),
    LABEL_PX,
    LOWEST_PX,
  );
  const low = lines.some((line) => line.low !== null) ? "p5" : "p50";
  return (
    <section class="panel" aria-labelledby="lag-title">
      <ChartHead
        id="lag-title"
        json={json}
        hint={`line: median, dashed while provisional; band: ${low}–p95 of each interval; logarithmic beyond 1 ms`}
      >
        Lag by interval <Info about="lag" label="lag" />
      </ChartHead>
      <div class="lag">
        <TimePlot spec={spec} summary={summary} onCursor={setCursor} ends={values} onEnds={take} />
        <div class="lag-side">
          <ul class="lag-legend">
            {lines.map((line, index) => (
              <LegendItem key={line.id} line={line} cursor={cursor} y={places[index] ?? 0} />
            ))}
          </ul>
        </div>
      </div>
      <p class="hint chart-notes">
        <span>
          {at === undefined
            ? "Beside each name its newest median."
            : `Medians at ${format.shortClock(at)} ${format.zoneWord()}.`}
        </span>
        {noiseMs === null ? null : (
          <span>
            <span class="noise-swatch" aria-hidden="true" /> within noise: ± {format.duration(noiseMs)} cannot
            be told from 0
          </span>
        )}
        {of.impaired.includes(true) ? (
          <span>
            <span class="hatch-swatch" aria-hidden="true" /> observer impaired
          </span>
        ) : null}
      </p>
      <p class="summary">{summary}</p>
      <Twin
        caption="Lag by interval and mirror"
        head={[
          `Interval, ${format.zoneWord()}`,
          ...lines.flatMap((line) => {
            const name = lines.length === 1 ? "" : `${format.visible(line.name)} `;
            return line.low === null
              ? [`${name}p50`, `${name}p95`]
              : [`${name}p5`, `${name}p50`, `${name}p95`];
          }),
        ]}
        rows={() =>
          of.times
            .map((t, index) => [
              format.stamp(t),
              ...lines.flatMap((line) =>
                [...(line.low === null ? [] : [line.low]), line.p50, line.p95].map((column) =>
                  format.duration(column[index]),
                ),
              ),
            ])
            .reverse()
        }
      />
    </section>
  );
}

function LegendItem({ line, cursor, y }: { line: LagLine; cursor: number | null; y: number }) {
  const value = cursor === null ? newest(line) : (line.p50[cursor] ?? null);
  // A property of its own through the object model: the page's policy forbids style attributes.
  const move = (element: HTMLElement | null) => element?.style.setProperty("top", `${y - 10}px`);
  return (
    <li ref={move}>
      <svg class="swatch" viewBox="0 0 22 4" width="22" height="4" aria-hidden="true" focusable="false">
        <line
          class={`series-${(line.slot % SLOTS) + 1} dash-${Math.floor(line.slot / SLOTS) % 4}`}
          x1="0"
          x2="22"
          y1="2"
          y2="2"
        />
      </svg>
      <bdi class="name" title={line.name}>
        {format.visible(line.name)}
      </bdi>
      <span class="num">{format.duration(value)}</span>
    </li>
  );
}
