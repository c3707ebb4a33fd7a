import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { shortClock, shortDay } from "../format";
import { drawImpaired, drawNoise } from "../plot-marks";
import { theme } from "../theme";
import type { TimeSeries, TimeSpec } from "../time-spec";
import { zone } from "../view";

interface Props {
  spec: TimeSpec;
  summary: string;
  /** The index under the pointer, or null when it has left. */
  onCursor?: (index: number | null) => void;
  /** Where on the y axis, in CSS pixels from the top, each of these values is: the ends of lines. */
  ends?: readonly (number | null)[];
  onEnds?: (places: (number | null)[]) => void;
}

const HEIGHT_PX = 240;
const DAY_S = 86_400;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Points stand in the middle of their interval. */
function dataOf({ times, resolutionS, series }: TimeSpec): uPlot.AlignedData {
  return [times.map((t) => t / 1000 + resolutionS / 2), ...series.map(({ values }) => [...values])];
}

function spanOf({ times, resolutionS, span }: TimeSpec): [number, number] {
  if (span !== undefined) return [span[0] / 1000, span[1] / 1000];
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  return [first / 1000, last / 1000 + resolutionS];
}

function timeText(spanS: number): (seconds: number) => string {
  return (s) => (spanS > 2 * DAY_S ? shortDay(s * 1000) : shortClock(s * 1000));
}

function axis(): uPlot.Axis {
  return {
    stroke: colour("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
}

function pathsOf(shape: TimeSeries["shape"]): Pick<uPlot.Series, "paths"> {
  const { bars, stepped } = uPlot.paths;
  if ((shape === "bars" || shape === "hollow") && bars !== undefined)
    return { paths: bars({ size: [0.86, 40] }) };
  if (shape === "steps" && stepped !== undefined) return { paths: stepped({ align: 1 }) };
  return {};
}

function known(values: ArrayLike<number | null | undefined> | undefined): number {
  return Array.from(values ?? []).filter((value) => typeof value === "number").length;
}

function seriesOf(series: TimeSeries): uPlot.Series {
  const paint = colour(series.colour);
  const isEdge = series.shape === "edge";
  const isLine = series.shape === undefined || series.shape === "line" || series.shape === "steps";
  return {
    label: series.label,
    stroke: isEdge ? "transparent" : paint,
    width: isEdge ? 0 : (series.width ?? 1.75),
    dash: [...(series.dash ?? [])],
    // A line needs two points; one alone is a dot.
    points: { show: (plot, index) => isLine && known(plot.data[index]) === 1 },
    ...(series.shape === "bars" ? { fill: paint } : {}),
    ...pathsOf(series.shape),
  };
}

function options(width: number, latest: { current: Props }): uPlot.Options {
  const { spec } = latest.current;
  const now = () => latest.current.spec;
  return {
    width,
    height: spec.heightPx ?? HEIGHT_PX,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: () => spanOf(now()) },
      y: {
        range: () => [...now().range] as [number, number],
        ...(spec.linearBelow === undefined ? {} : { distr: 4 as const, asinh: spec.linearBelow }),
      },
    },
    axes: [
      {
        ...axis(),
        size: 26,
        space: 76,
        values: (_plot, splits) => {
          const [from, to] = spanOf(now());
          return splits.map(timeText(to - from));
        },
      },
      {
        ...axis(),
        size: 56,
        splits: () => [...now().ticks],
        filter: (_plot, splits) => splits,
        values: (_plot, splits) => splits.map(now().text),
      },
    ],
    series: [{}, ...spec.series.map(seriesOf)],
    bands: (spec.bands ?? []).map(({ high, low }) => ({
      series: [high + 1, low + 1] as [number, number],
      fill: `${colour(spec.series[low]?.colour ?? "--muted")}33`,
    })),
    hooks: {
      drawAxes: [
        (plot) => {
          const { noise } = now();
          if (noise !== null && noise !== undefined) drawNoise(plot, noise, colour("--muted"));
        },
      ],
      draw: [
        (plot) => {
          drawImpaired(plot, now().hatch ?? now(), colour("--late"));
          const { ends, onEnds } = latest.current;
          if (onEnds !== undefined && ends !== undefined)
            onEnds(ends.map((value) => (value === null ? null : plot.valToPos(value, "y"))));
        },
      ],
      setCursor: [(plot) => latest.current.onCursor?.(plot.cursor.idx ?? null)],
    },
  };
}

/** The canvas. Made again when what it consists of changes; otherwise given new data. */
export function TimePlot(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { spec } = props;
  const heightPx = spec.heightPx ?? HEIGHT_PX;
  // Everything that needs a new plot.
  const identity = `${theme.value} ${zone.value} ${heightPx} ${spec.series.map(({ label }) => label).join("|")}`;

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const made = new uPlot(options(element.clientWidth, latest), dataOf(latest.current.spec), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: heightPx }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [identity]);

  useEffect(() => {
    plot.current?.setData(dataOf(spec));
  }, [spec]);

  return <div class={`plot plot-${heightPx}`} ref={host} role="img" aria-label={props.summary} />;
}
