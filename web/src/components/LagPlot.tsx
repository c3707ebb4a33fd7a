import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { shortClock } from "../format";
import { type LagLine, lagRange, lagTicks, SLOTS, tickText } from "../lag-series";
import { theme } from "../theme";

interface Props {
  times: readonly number[];
  lines: readonly LagLine[];
  summary: string;
  /** The index under the pointer, or null when it has left. */
  onCursor: (index: number | null) => void;
}

const HEIGHT_PX = 240;
/** After the colours have been used up, the same colours come dashed. */
const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function dataOf({ times, lines }: Pick<Props, "times" | "lines">): uPlot.AlignedData {
  return [times.map((t) => t / 1000), ...lines.map((line) => line.p50)];
}

function axis(): uPlot.Axis {
  return {
    stroke: colour("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
}

function options(width: number, latest: { current: Props }): uPlot.Options {
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { distr: 4, asinh: 1, range: () => lagRange(latest.current.lines) } },
    axes: [
      { ...axis(), size: 32, values: (_plot, splits) => splits.map((s) => shortClock(s * 1000)), space: 70 },
      {
        ...axis(),
        size: 56,
        splits: () => lagTicks(lagRange(latest.current.lines)),
        filter: (_plot, splits) => splits,
        values: (_plot, splits) => splits.map(tickText),
      },
    ],
    series: [
      {},
      ...latest.current.lines.map((line) => ({
        label: line.name,
        stroke: colour(`--series-${(line.slot % SLOTS) + 1}`),
        dash: DASHES[Math.floor(line.slot / SLOTS) % DASHES.length] ?? [],
        width: 1.75,
        points: { show: latest.current.times.length < 3 },
      })),
    ],
    hooks: { setCursor: [(plot) => latest.current.onCursor(plot.cursor.idx ?? null)] },
  };
}

/** The canvas. Made again when the mirrors, the theme or the number of lines change; otherwise given new data. */
export function LagPlot(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  // Everything that needs a new plot.
  const identity = `${theme.value} ${props.lines.map((line) => line.id).join(" ")} ${props.times.length < 3}`;

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const made = new uPlot(options(element.clientWidth, latest), dataOf(latest.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [identity]);

  useEffect(() => {
    plot.current?.setData(dataOf(props));
  }, [props.times, props.lines]);

  return <div class="plot" ref={host} role="img" aria-label={props.summary} />;
}
