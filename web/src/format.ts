/**
 * Numbers to text, one way for the whole page. A null is an em-dash, never a zero; digits never claim more than was
 * counted; a share below one never rounds up to 100 %.
 */
import type { Num } from "./shapes";

export const DASH = "—";
/** Narrow no-break space: between groups of digits, and between a number and its unit. */
export const THIN = "\u202f";
const MINUS = "\u2212";

/** A whole number in groups of three: 21 604. */
export function count(value: Num | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const digits = Math.abs(Math.trunc(value)).toString();
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  return value < 0 ? MINUS + grouped : grouped;
}

/** A number as the API has it: a whole one in groups, any other with every digit. */
export function exact(value: number): string {
  return Number.isInteger(value) ? count(value) : String(value).replace(/^-/, MINUS);
}

/** How many decimals of a percentage `n` observations carry: never more than log10(n) digits in all, and at most 4. */
export function percentDecimals(n: number): number {
  if (n < 1) return 0;
  return Math.min(4, Math.max(0, Math.floor(Math.log10(n) + 1e-9) - 2));
}

/**
 * A ratio in steps of 1 / `scale` per cent, cut to the digits that the product can carry, so that no binary neighbour
 * decides: 0.99115 is a tie at two decimals, 0.29 is exactly 29 %.
 */
function percentSteps(ratio: number, scale: number): number {
  return Number((ratio * 100 * scale).toPrecision(12));
}

/** A ratio 0–1 as a percentage of `n` observations. */
export function percent(ratio: Num | undefined, n: number): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return DASH;
  const decimals = percentDecimals(n);
  if (ratio >= 1) return `100${THIN}%`;
  if (ratio <= 0) return `0${THIN}%`;
  const scale = 10 ** decimals;
  const steps = Math.round(percentSteps(ratio, scale));
  if (steps >= 100 * scale) return `${(100 - 1 / scale).toFixed(decimals)}${THIN}%`;
  if (steps <= 0) return `<${THIN}${(1 / scale).toFixed(decimals)}${THIN}%`;
  return `${(steps / scale).toFixed(decimals)}${THIN}%`;
}

/** Shares this close to a whole are whole: what is missing is the noise of floating point. */
const WHOLE = 1 - 1e-9;

/** The 95 % interval of confidence of a share: "99.94–99.99 %". Its ends round outwards. */
export function interval(low: Num | undefined, high: Num | undefined, n: number): string {
  if (low === null || low === undefined || high === null || high === undefined) return DASH;
  const decimals = percentDecimals(n);
  const part = (ratio: number, round: (value: number) => number) =>
    ratio >= WHOLE ? "100" : (round(percentSteps(ratio, 10 ** decimals)) / 10 ** decimals).toFixed(decimals);
  const [from, to] = [part(low, Math.floor), part(high, Math.ceil)];
  return from === to ? `${from}${THIN}%` : `${from}–${to}${THIN}%`;
}

/** "4 of 21 480". */
export function nOfN(n: Num | undefined, of: Num | undefined): string {
  return `${count(n)} of ${count(of)}`;
}

function threeDigits(value: number): string {
  if (value === 0) return "0";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(value)));
  const text = value.toFixed(decimals);
  // 9.996 rounds to 10.00: one digit too many.
  return text.replace(/\D/g, "").replace(/^0+/, "").length > 3 && decimals > 0
    ? value.toFixed(decimals - 1)
    : text;
}

/** Milliseconds with three significant digits and their unit: 420 µs, 12.3 ms, 1.23 s, 3 min 12 s, 2 h 5 min. */
export function duration(ms: Num | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return DASH;
  const sign = ms < 0 ? MINUS : "";
  const size = Math.abs(ms);
  if (size === 0) return `0${THIN}ms`;
  if (size < 0.9995) return `${sign}${threeDigits(size * 1000).replace(/\.\d+$/, "")}${THIN}µs`;
  if (size < 999.5) return `${sign}${threeDigits(size)}${THIN}ms`;
  if (size < 59_950) return `${sign}${threeDigits(size / 1000)}${THIN}s`;
  return sign + longDuration(size / 1000);
}

/** Two units at most; the second is left out where it is zero. */
function longDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 3600) return units(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(whole / 60);
  if (minutes < 48 * 60) return units(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(minutes / 60);
  return units(Math.floor(hours / 24), "d", hours % 24, "h");
}

function units(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${large}${THIN}${largeUnit}`;
  return small === 0 ? first : `${first} ${small}${THIN}${smallUnit}`;
}

/** A duration with its sign, as in "+40.1 ms": later or earlier than something. */
export function signed(ms: number): string {
  return ms > 0 ? `+${duration(ms)}` : duration(ms);
}

/** A lag as the table shows it: below its own uncertainty it is "≈ 0", for nothing finer was measured. */
export function lag(ms: Num | undefined, uncertaintyMs: Num | undefined): string {
  if (ms === null || ms === undefined) return DASH;
  if (uncertaintyMs !== null && uncertaintyMs !== undefined && Math.abs(ms) <= uncertaintyMs)
    return `≈${THIN}0`;
  return duration(ms);
}

/** Whole seconds for something that ticks: "4 s", "3 min 12 s". */
export function ticking(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 60 ? `${seconds}${THIN}s` : longDuration(seconds);
}

/** Operations per second, three significant digits. */
export function rate(perSecond: Num | undefined): string {
  if (perSecond === null || perSecond === undefined || !Number.isFinite(perSecond)) return DASH;
  return perSecond >= 999.5 ? count(Math.round(perSecond)) : threeDigits(perSecond);
}

function pad(value: number): string {
  return value.toString().padStart(2, "0");
}

/** HH:mm:ss of an instant, UTC (the page writes "UTC" beside it). */
export function clock(unixMs: number): string {
  const at = new Date(unixMs);
  return `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`;
}

/** HH:mm where the second says nothing, as for whole five-minute intervals; HH:mm:ss otherwise. */
export function shortClock(unixMs: number): string {
  const text = clock(unixMs);
  return text.endsWith(":00") ? text.slice(0, 5) : text;
}

/** Text of foreign origin with invisible and direction-changing characters made visible. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
