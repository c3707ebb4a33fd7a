/** Marks what changed, for a moment; not while the reader points at it. */
import { useRef } from "preact/hooks";

let held = false;

/** While it is held nothing new is marked. */
export function holdMarks(hold: boolean): void {
  held = hold;
}

/** The class of a figure: another one at each change, none before the first. */
export function useMark(value: unknown): string | undefined {
  const before = useRef(value);
  const changes = useRef(0);
  if (!Object.is(before.current, value)) {
    before.current = value;
    if (!held) changes.current += 1;
  }
  if (changes.current === 0) return undefined;
  return changes.current % 2 === 1 ? "mark-a" : "mark-b";
}
