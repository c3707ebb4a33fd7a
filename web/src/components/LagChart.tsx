import { useMemo, useState } from "preact/hooks";
import * as format from "../format";
import { type LagLine, lagLines, lagSummary, newest, SLOTS } from "../lag-series";
import type { History } from "../shapes";
import { Info } from "./Info";
import { LagPlot } from "./LagPlot";
import { LagTable } from "./LagTable";

/** Median lag of each mirror over the window: lines, a legend that reads the cursor, a sentence, and the same as a table. */
export function LagChart({ history, names }: { history: History; names: ReadonlyMap<string, string> }) {
  const [cursor, setCursor] = useState<number | null>(null);
  const lines = useMemo(() => lagLines(history, names), [history, names]);
  const summary = lagSummary(lines);
  const at = cursor === null ? undefined : history.t_unix_ms[cursor];
  return (
    <section class="panel" aria-labelledby="lag-title">
      <div class="panel-head">
        <h2 id="lag-title">
          Lag, median by interval <Info about="lag" label="lag" />
        </h2>
        <span class="hint">logarithmic beyond 1 ms</span>
        <a class="json" href="/api/v1/analytics/history?window=6h">
          JSON
        </a>
      </div>
      <div class="lag">
        <LagPlot times={history.t_unix_ms} lines={lines} summary={summary} onCursor={setCursor} />
        <div class="lag-side">
          <p class="hint">{at === undefined ? "newest median" : `${format.shortClock(at)} UTC`}</p>
          <ul class="lag-legend">
            {lines.map((line) => (
              <LegendItem key={line.id} line={line} cursor={cursor} />
            ))}
          </ul>
        </div>
      </div>
      <p class="summary">{summary}</p>
      <LagTable history={history} lines={lines} />
    </section>
  );
}

function LegendItem({ line, cursor }: { line: LagLine; cursor: number | null }) {
  const value = cursor === null ? newest(line) : (line.p50[cursor] ?? null);
  return (
    <li>
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
