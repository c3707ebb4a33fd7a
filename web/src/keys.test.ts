import { beforeEach, describe, expect, it, vi } from "vitest";
import { Keys } from "./keys";

const event = (key: string, more: Partial<KeyboardEvent> = {}) => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  target: document.body,
  ...more,
});

describe("keys", () => {
  const [theme, overview, misses] = [vi.fn(), vi.fn(), vi.fn()];
  let at = 0;
  let keys: Keys;
  beforeEach(() => {
    vi.clearAllMocks();
    at = 0;
    keys = new Keys(
      [
        { keys: "t", does: "theme", act: theme },
        { keys: "g o", does: "overview", act: overview },
        { keys: "g m", does: "misses", act: misses },
      ],
      () => at,
    );
  });

  it("do what the list says, alone and after another", () => {
    expect(keys.press(event("t"))).toBe(true);
    expect(keys.press(event("g"))).toBe(true);
    expect(keys.press(event("m"))).toBe(true);
    expect(keys.press(event("o"))).toBe(false);
    expect([theme, misses, overview].map((act) => act.mock.calls.length)).toEqual([1, 1, 0]);
  });

  it("forget the first key after a while", () => {
    keys.press(event("g"));
    at = 2_000;
    expect(keys.press(event("o"))).toBe(false);
    expect(overview).not.toHaveBeenCalled();
  });

  it("are never taken from a field, a dialog or the browser", () => {
    document.body.innerHTML = "<input><dialog><button></button></dialog>";
    for (const more of [
      { target: document.querySelector("input") },
      { target: document.querySelector("button") },
      { ctrlKey: true },
      { metaKey: true },
      { altKey: true },
    ])
      expect(keys.press(event("t", more))).toBe(false);
    expect(theme).not.toHaveBeenCalled();
  });
});
