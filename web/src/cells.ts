/** The history page as cells of the matrix: what one interval of one mirror means, as a step, a flag and a sentence. */
import type { Coarse } from "./coarse";
import * as format from "./format";
import type { History, HistoryMirror, Num } from "./shapes";
import { reasonText, words } from "./words";

/** Fixed steps by nines, never scaled to the data. `none` is drawn hatched. */
export type Step = "full" | "nines3" | "nines2" | "p95" | "low" | "none";

export const STEPS: readonly { step: Step; label: string }[] = [
  { step: "full", label: "100 %" },
  { step: "nines3", label: "≥ 99.9 %" },
  { step: "nines2", label: "≥ 99 %" },
  { step: "p95", label: "≥ 95 %" },
  { step: "low", label: "< 95 %" },
  { step: "none", label: "no data" },
];

export interface Cell {
  step: Step;
  /** Some operations of the interval are not decided yet, or may still change. */
  provisional: boolean;
  /** Nothing was decided because the observer could not tell, not because nothing happened. */
  unknown: boolean;
  hasExtra: boolean;
  impaired: boolean;
}

export function stepOf(ratio: Num | undefined): Step {
  if (ratio === null || ratio === undefined) return "none";
  if (ratio >= 1) return "full";
  if (ratio >= 0.999) return "nines3";
  if (ratio >= 0.99) return "nines2";
  if (ratio >= 0.95) return "p95";
  return "low";
}

export function cellAt(history: History, mirror: HistoryMirror, index: number): Cell {
  const status = mirror.status[index] ?? null;
  return {
    step: stepOf(mirror.coverage_ratio[index]),
    provisional: status === "open" || status === "settling",
    unknown: (mirror.unknown[index] ?? 0) > 0 && (mirror.decided[index] ?? 0) === 0,
    hasExtra: (mirror.extra[index] ?? 0) > 0,
    impaired: history.impaired[index] === true,
  };
}

/** Histories longer than this say the day too. */
const DAY_S = 86_400;

/** "14:05–14:10 UTC", with its day where the history is longer than one. */
export function spanText(history: History, index: number): string {
  const from = history.t_unix_ms[index];
  if (from === undefined) return format.DASH;
  const to = from + history.resolution_s * 1000;
  const isLong = history.t_unix_ms.length * history.resolution_s > DAY_S / 2;
  const begin = isLong ? format.stamp(from) : format.shortClock(from);
  return `${begin}–${format.shortClock(to)} ${format.zoneWord()}`;
}

/** What is said of the coverage of a cell: of one window, or of the worst of several. */
function coverageLines(history: History & Partial<Coarse>, mirror: HistoryMirror, index: number): string[] {
  const decided = mirror.decided[index] ?? 0;
  const missed = format.nOfN(mirror.missed[index], decided);
  const parts = history.parts ?? 1;
  const share = format.percent(mirror.coverage_ratio[index], decided / parts);
  if (parts === 1) return [`${share} complete, missed ${missed}`];
  const each = format.duration((history.part_s ?? 0) * 1000);
  return [`worst of ${parts} windows of ${each}: ${share} complete`, `missed ${missed} in all`];
}

/** What the tooltip and the accessible name of a cell say, a line each. */
export function cellLines(
  history: History & Partial<Coarse>,
  mirror: HistoryMirror,
  index: number,
): string[] {
  const decided = mirror.decided[index] ?? null;
  const status = mirror.status[index] ?? null;
  const lines: string[] = [];
  if (decided === null || decided === 0) {
    const why = history.reason?.[index] ?? "no_data";
    const nothing = why === "no_data" ? "no data" : `no data: ${reasonText(why)}`;
    lines.push((mirror.eligible[index] ?? 0) > 0 ? "nothing decided yet" : nothing);
  } else {
    lines.push(...coverageLines(history, mirror, index));
  }
  const parts: [string, Num | undefined][] = [
    ["late", mirror.late[index]],
    ["extra", mirror.extra[index]],
    ["pending", mirror.pending[index]],
    ["unknown", mirror.unknown[index]],
  ];
  const seen = parts.filter(([, n]) => (n ?? 0) > 0).map(([word, n]) => `${format.count(n)} ${word}`);
  if (seen.length > 0) lines.push(seen.join(", "));
  const p50 = mirror.lag_p50_ms[index] ?? null;
  if (p50 !== null) {
    lines.push(`lag p50 ${format.duration(p50)}, p95 ${format.duration(mirror.lag_p95_ms[index])}`);
  }
  if (history.impaired[index] === true) lines.push("observer impaired: part of this time is not counted");
  if (status !== null)
    lines.push(status === "open" || status === "settling" ? `${words(status)}, provisional` : words(status));
  return lines;
}

/** Cells from which on they are narrower than a label. */
const MANY = 24;

/** The indices whose labels stand under the matrix: about `wanted` of them, on round times. */
export function axisLabels(history: History, wanted: number): Map<number, string> {
  const labels = new Map<number, string>();
  const total = history.t_unix_ms.length;
  if (total === 0) return labels;
  const spanS = total * history.resolution_s;
  const steps = [
    10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 259200,
  ];
  const step =
    steps.find((candidate) => candidate >= history.resolution_s && spanS / candidate <= wanted) ?? 604800;
  history.t_unix_ms.forEach((t, index) => {
    // At the very end there is no room for a label.
    if (total > MANY && index > total - 3) return;
    if (Math.round(t / 1000) % step === 0)
      labels.set(index, step >= DAY_S ? format.shortDay(t) : format.shortClock(t));
  });
  return labels;
}

/** When the interval that holds `nowMs` ends. */
export function intervalEnd(nowMs: number, resolutionS: number): number {
  const span = resolutionS * 1000;
  return (Math.floor(nowMs / span) + 1) * span;
}
