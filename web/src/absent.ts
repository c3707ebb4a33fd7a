/** What is not known of a chosen span, and why: runs of entries of its history about which nothing is kept. */
import * as format from "./format";
import type { History } from "./shapes";
import { reasonText } from "./words";

export interface Run {
  fromMs: number;
  toMs: number;
  reason: string;
}

/** Runs that are told one by one; of more only how many they are. */
const TOLD_MAX = 4;

/** Runs of entries for which nothing is known for the same reason. */
export function absentRuns({ t_unix_ms, resolution_s, reason }: History): Run[] {
  const runs: Run[] = [];
  t_unix_ms.forEach((fromMs, index) => {
    const why = reason?.[index] ?? null;
    if (why === null) return;
    const [toMs, last] = [fromMs + resolution_s * 1000, runs.at(-1)];
    if (last !== undefined && last.reason === why && last.toMs === fromMs) last.toMs = toMs;
    else runs.push({ fromMs, toMs, reason: why });
  });
  return runs;
}

/** The span that is shown, and what of it is not known. */
export function spanText(history: History): string {
  const [first, last] = [history.t_unix_ms[0], history.t_unix_ms.at(-1)];
  if (first === undefined || last === undefined) return "There is nothing in this span.";
  const step = history.resolution_s * 1000;
  const from = (fromMs: number, toMs: number) =>
    `${format.stamp(fromMs)}–${format.stamp(toMs)} ${format.zoneWord()}`;
  const runs = absentRuns(history);
  const told = runs.slice(0, TOLD_MAX).map((run) => {
    const why = run.reason === "no_data" ? "nothing was observed" : reasonText(run.reason);
    return `No data ${from(run.fromMs, run.toMs)}: ${why}.`;
  });
  const rest = runs.length - told.length;
  return [
    `Shown is ${from(first, last + step)}, in steps of ${format.duration(step)}.`,
    ...told,
    ...(rest > 0 ? [`${format.count(rest)} more spans without data.`] : []),
  ].join(" ");
}
