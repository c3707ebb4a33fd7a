import { describe, expect, it } from "vitest";
import * as format from "./format";

const plain = (text: string) => text.replaceAll(format.THIN, " ");

describe("percent", () => {
  it.each([
    [0.99981, 21_480, "99.98 %"],
    [299 / 300, 300, "99 %"],
    [0.999999, 21_480, "99.99 %"],
    [0.9, 7, "90 %"],
    [1, 3, "100 %"],
    [0, 300, "0 %"],
    [0.0001, 300, "< 1 %"],
    [0.99115, 10_000, "99.12 %"],
    [0.29, 10_000, "29.00 %"],
    [0.123456789, 10_000_000, "12.3457 %"],
  ])("%d of %d is %s", (ratio, n, text) => {
    expect(plain(format.percent(ratio, n))).toBe(text);
  });
  it("is a dash for null, never a zero", () => {
    expect(format.percent(null, 10)).toBe("—");
  });
});

describe("exact", () => {
  it.each([
    [21_604, "21 604"],
    [-3, "−3"],
    [0.5, "0.5"],
    [-0.042, "−0.042"],
    [1234.25, "1234.25"],
    [0, "0"],
  ])("%d is %s", (value, text) => expect(plain(format.exact(value))).toBe(text));
});

describe("interval", () => {
  it("shows both ends with the digits of n", () => {
    expect(plain(format.interval(0.99941, 0.99989, 21_480))).toBe("99.94–99.99 %");
  });
  it("reaches a whole in spite of floating point", () => {
    expect(plain(format.interval(0.99999, 1 - 2 ** -52, 400_000))).toBe("99.999–100 %");
  });
  it("collapses equal ends", () => {
    expect(plain(format.interval(1, 1, 100))).toBe("100 %");
  });
});

describe("duration", () => {
  it.each([
    [0, "0 ms"],
    [0.42, "420 µs"],
    [1, "1.00 ms"],
    [9.996, "10.0 ms"],
    [12.34, "12.3 ms"],
    [-12.34, "−12.3 ms"],
    [412.3, "412 ms"],
    [999.7, "1.00 s"],
    [12_345, "12.3 s"],
    [59_960, "1 min"],
    [192_000, "3 min 12 s"],
    [3_599_900, "1 h"],
    [7_500_000, "2 h 5 min"],
    [200_000_000, "2 d 8 h"],
  ])("%d ms is %s", (ms, text) => expect(plain(format.duration(ms))).toBe(text));
});

describe("lag", () => {
  it("is about zero within its uncertainty", () => {
    expect(plain(format.lag(2, 3))).toBe("≈ 0");
    expect(plain(format.lag(-2, 3))).toBe("≈ 0");
    expect(plain(format.lag(4, 3))).toBe("4.00 ms");
    expect(plain(format.lag(4, null))).toBe("4.00 ms");
    expect(format.lag(null, 3)).toBe("—");
  });
});

it("groups whole numbers and keeps signs", () => {
  expect(plain(format.count(21_604))).toBe("21 604");
  expect(plain(format.count(1_234_567))).toBe("1 234 567");
  expect(plain(format.count(-1_000))).toBe("−1 000");
  expect(format.count(0)).toBe("0");
  expect(format.count(null)).toBe("—");
  expect(plain(format.nOfN(0, 300))).toBe("0 of 300");
});

it("shows times in UTC whatever the zone of the reader", () => {
  expect(format.clock(Date.UTC(2026, 10, 21, 14, 5, 9))).toBe("14:05:09");
  expect(format.shortClock(Date.UTC(2026, 10, 21, 14, 5))).toBe("14:05");
  expect(format.shortClock(Date.UTC(2026, 10, 21, 14, 5, 5))).toBe("14:05:05");
});

it("shows rates with three digits", () => {
  expect(format.rate(20.04)).toBe("20.0");
  expect(format.rate(0)).toBe("0");
  expect(plain(format.rate(1999.6))).toBe("2 000");
});

it("makes direction-changing characters visible", () => {
  expect(format.visible("a\u202eb")).toBe("a\\u{202e}b");
});
