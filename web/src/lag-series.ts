/**
 * Lags over time as lines and bands of one chart. The scale is the same for every mirror: logarithmic beyond ±1 ms and linear
 * within, from −10 ms to 100 s, so that zero and a mirror that is earlier than the primary have a place; it grows by whole
 * decades where the data asks for more.
 */
import * as format from "./format";
import type { History, Num } from "./shapes";
import { firstOpen, parted, type TimeSeries, type TimeSpec } from "./time-spec";

export interface LagLine {
  id: string;
  name: string;
  /** Which colour and dash; by the server's order, so that a mirror keeps it whatever its rank. */
  slot: number;
  p50: Num[];
  /** The lower edge of the band; that of the median where there is none. */
  low: Num[] | null;
  p95: Num[];
  status: (string | null)[];
}

export const SLOTS = 6;
/** After the colours have been used up, the same colours come dashed. */
const DASHES: readonly (readonly number[])[] = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
/** What can still change is drawn like this. */
const PROVISIONAL_DASH = [3, 3];
const DECADES_MS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
const LEAST: readonly [number, number] = [-10, 100_000];

export function lagLines(history: History, names: ReadonlyMap<string, string>): LagLine[] {
  return history.mirrors.map((mirror, index) => ({
    id: mirror.id,
    name: names.get(mirror.id) ?? mirror.id,
    slot: index,
    p50: mirror.lag_p50_ms,
    low: null,
    p95: mirror.lag_p95_ms,
    status: mirror.status,
  }));
}

function known(lines: readonly LagLine[]): number[] {
  return lines.flatMap((line) =>
    [...line.p50, ...(line.low ?? []), ...line.p95].filter((value): value is number => value !== null),
  );
}

/** The lower and upper end of the scale in ms. */
export function lagRange(lines: readonly LagLine[]): [number, number] {
  const values = known(lines);
  const decade = (size: number) => DECADES_MS.find((candidate) => candidate >= size) ?? size;
  const most = values.reduce((top, value) => Math.max(top, value), LEAST[1]);
  const least = values.reduce((low, value) => Math.min(low, value), LEAST[0]);
  return [-decade(-least), decade(most)];
}

/** Zero and the decades within the range. */
export function lagTicks([low, high]: readonly [number, number]): number[] {
  const above = DECADES_MS.filter((decade) => decade <= high);
  const below = DECADES_MS.filter((decade) => -decade >= low).map((decade) => -decade);
  return [...below.reverse(), 0, ...above];
}

export function tickText(ms: number): string {
  if (ms === 0) return "0";
  const size = Math.abs(ms);
  const text = size < 1_000 ? `${size}${format.THIN}ms` : `${size / 1_000}${format.THIN}s`;
  return ms < 0 ? `\u2212${text}` : text;
}

/** The newest median of a line that is known. */
export function newest(line: LagLine): Num {
  return line.p50.findLast((value) => value !== null) ?? null;
}

function seriesOf(line: LagLine): TimeSeries[] {
  const colour = `--series-${(line.slot % SLOTS) + 1}`;
  const dash = DASHES[Math.floor(line.slot / SLOTS) % DASHES.length] ?? [];
  const { firm, open } = parted(line.p50, firstOpen(line.status));
  return [
    { label: `${line.name} p95`, values: line.p95, colour, shape: "edge" },
    { label: `${line.name} low`, values: line.low ?? line.p50, colour, shape: "edge" },
    { label: line.name, values: firm, colour, dash },
    { label: `${line.name} provisional`, values: open, colour, dash: PROVISIONAL_DASH },
  ];
}

type Times = Pick<TimeSpec, "times" | "resolutionS" | "impaired">;

/** The chart of these lines: four series each, the first two the edges of its band. */
export function lagSpec(of: Times, lines: readonly LagLine[], noiseMs: Num): TimeSpec {
  const range = lagRange(lines);
  return {
    ...of,
    series: lines.flatMap(seriesOf),
    bands: lines.map((_, index) => ({ high: index * 4, low: index * 4 + 1 })),
    range,
    linearBelow: 1,
    ticks: lagTicks(range),
    // Beside zero there is no room for more words.
    text: (ms) => (Math.abs(ms) === 1 ? "" : tickText(ms)),
    noise: noiseMs,
  };
}

/** One sentence for who cannot see the lines. */
export function lagSummary(lines: readonly LagLine[]): string {
  const measured = lines.flatMap((line) => {
    const value = newest(line);
    return value === null ? [] : [{ name: format.visible(line.name), value }];
  });
  if (measured.length === 0)
    return "No lag has been measured yet: the first medians appear when an interval has timed operations.";
  measured.sort((a, b) => b.value - a.value);
  const [slow, quick] = [measured[0], measured.at(-1)];
  if (slow === undefined || quick === undefined || slow === quick) {
    return `Median lag of ${slow?.name ?? ""} is now ${format.duration(slow?.value)}.`;
  }
  return `Median lag now: slowest ${slow.name} with ${format.duration(slow.value)}, quickest ${quick.name} with ${format.duration(quick.value)}.`;
}
