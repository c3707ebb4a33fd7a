/**
 * The history page as lines of the lag chart. The scale is logarithmic beyond ±1 ms and linear within, so that zero and a
 * mirror that is earlier than the primary have a place; it grows by whole decades only, so that the eye can compare.
 */
import * as format from "./format";
import type { History, Num } from "./shapes";

export interface LagLine {
  id: string;
  name: string;
  /** Which colour and dash; by the server's order, so that a mirror keeps it whatever its rank. */
  slot: number;
  p50: Num[];
}

export const SLOTS = 6;
const DECADES_MS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

export function lagLines(history: History, names: ReadonlyMap<string, string>): LagLine[] {
  return history.mirrors.map((mirror, index) => ({
    id: mirror.id,
    name: names.get(mirror.id) ?? mirror.id,
    slot: index,
    p50: mirror.lag_p50_ms,
  }));
}

function known(lines: readonly LagLine[]): number[] {
  return lines.flatMap((line) => line.p50.filter((value): value is number => value !== null));
}

/** The lower and upper end of the scale in ms: 0 … 1 s, wider by decades where the data asks for it. */
export function lagRange(lines: readonly LagLine[]): [number, number] {
  const values = known(lines);
  const decade = (size: number) => DECADES_MS.find((candidate) => candidate >= size) ?? size;
  const top = decade(Math.max(1_000, ...values));
  const lowest = Math.min(0, ...values);
  return [lowest < 0 ? -decade(-lowest) : 0, top];
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
