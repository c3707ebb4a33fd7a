/** What a chart over time is made of, apart from how it is drawn. */
import type { Num } from "./shapes";

export interface TimeSeries {
  label: string;
  values: readonly Num[];
  /** Name of the custom property that has its colour. */
  colour: string;
  dash?: readonly number[];
  /** `edge` bounds a band and is not drawn itself; `hollow` are bars without a filling. */
  shape?: "line" | "steps" | "bars" | "hollow" | "edge";
  width?: number;
}

export interface TimeSpec {
  times: readonly number[];
  resolutionS: number;
  impaired: readonly (boolean | null)[];
  series: readonly TimeSeries[];
  /** Bands between two series, by their places in the list. */
  bands?: readonly { high: number; low: number }[];
  /** The lower and upper end of the axis. */
  range: readonly [number, number];
  /** Logarithmic on both sides of what is linear around zero, up to this. */
  linearBelow?: number;
  ticks: readonly number[];
  text: (value: number) => string;
  noise?: number | null;
  /** Whose impaired intervals are hatched, where it is not the series' own. */
  hatch?: Pick<TimeSpec, "times" | "resolutionS" | "impaired">;
  /** The span of time that is shown, in milliseconds, where it is not that of the series. */
  span?: readonly [number, number];
  heightPx?: number;
}

/** The part of a series that can still change is told apart: `values` up to `from`, and from the value before it on. */
export function parted(values: readonly Num[], from: number): { firm: Num[]; open: Num[] } {
  return {
    firm: values.map((value, index) => (index < from ? value : null)),
    open: values.map((value, index) => (index >= from - 1 ? value : null)),
  };
}

/** Where the part begins that can still change. */
export function firstOpen(status: readonly (string | null)[]): number {
  const found = status.findIndex((word) => word === "open" || word === "settling" || word === "provisional");
  return found === -1 ? status.length : found;
}

interface Axis {
  range: [number, number];
  ticks: number[];
}

/** About four steps of 1, 2 or 5 of a power of ten, from zero to what has room for `most`. */
export function niceAxis(most: number): Axis {
  const wanted = most > 0 ? most : 1;
  const power = 10 ** Math.floor(Math.log10(wanted / 4));
  const by = [1, 2, 5].map((n) => n * power).find((step) => wanted / step <= 4.5) ?? 10 * power;
  const steps = Math.ceil(wanted / by - 1e-9);
  return {
    range: [0, Number((steps * by).toPrecision(6))],
    ticks: Array.from({ length: steps + 1 }, (_, index) => Number((index * by).toPrecision(6))),
  };
}

/** An axis of counts from zero: its end and its ticks are whole numbers. */
export function countAxis(most: number): Axis {
  return niceAxis(Math.max(4, most));
}
