/**
 * The axis of an arrival strip: milliseconds behind the first arrival, logarithmic, so that 40 ms and 40 s both have room.
 * One axis for all hosts of an operation.
 */

const MARKS_MS = [0, 1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000];
/** The least that an axis shows, so that two operations look alike. */
const END_MIN_MS = 60_000;

/** Where the axis of these offsets ends. */
export function axisEnd(offsetsMs: readonly number[]): number {
  const largest = Math.max(END_MIN_MS, ...offsetsMs);
  return MARKS_MS.find((mark) => mark >= largest) ?? largest;
}

/** The place of an offset on the axis, 0 to 1. Below a millisecond the axis is nearly linear. */
export function place(offsetMs: number, endMs: number): number {
  const clamped = Math.min(Math.max(0, offsetMs), endMs);
  return Math.log1p(clamped) / Math.log1p(endMs);
}

export function marks(endMs: number): number[] {
  return MARKS_MS.filter((mark) => mark <= endMs);
}
