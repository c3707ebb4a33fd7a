import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { now } from "../clock";
import { go, here } from "../route";
import { asked, custom, customIsOpen, isDefaultRange, lagAsked, setRange, toggleZone } from "../view";
import { CustomRange, objection } from "./CustomRange";

const at = Date.UTC(2026, 10, 21, 14, 5);
const HOUR_MS = 3_600_000;
let root: HTMLElement;

beforeEach(() => {
  vi.stubGlobal("scrollTo", () => {});
  now.value = at;
  root = document.createElement("div");
  history.replaceState(null, "", "/");
  here();
});

afterEach(() => {
  render(null, root);
  vi.unstubAllGlobals();
});

function field(name: string): HTMLInputElement {
  const found = root.querySelector<HTMLInputElement>(`[name=${name}]`);
  if (found === null) throw new Error(`there is no field ${name}`);
  return found;
}

function show(from: string, to: string): void {
  field("from").value = from;
  field("to").value = to;
  act(() => {
    root.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  });
}

it("puts the span into the address, and goes along from view to view", () => {
  act(() => render(<CustomRange />, root));
  expect(["from", "to"].map((name) => field(name).value.slice(0, 16))).toEqual([
    "2026-11-21T08:05",
    "2026-11-21T14:05",
  ]);
  show("2026-11-20T10:00", "2026-11-20T12:30");
  const query = "from=2026-11-20T10%3A00%3A00.000Z&to=2026-11-20T12%3A30%3A00.000Z";
  expect(location.search).toBe(`?range=custom&${query}`);
  expect([asked.value, lagAsked.value, isDefaultRange.value]).toEqual([query, query, false]);
  go("/mirrors/m");
  expect(location.search).toBe(`?range=custom&${query}`);
  expect(custom.value).toEqual({
    fromMs: at - 28 * HOUR_MS - 5 * 60_000,
    toMs: at - 25.5 * HOUR_MS - 5 * 60_000,
  });
  setRange("24h");
  expect([location.search, asked.value, custom.value]).toEqual(["?range=24h", "window=24h", null]);
});

it("reads and shows times in the zone that is chosen", () => {
  act(() => render(<CustomRange />, root));
  act(() => toggleZone());
  show("2026-11-20T10:00", "2026-11-20T12:30");
  expect(custom.value?.fromMs).toBe(new Date(2026, 10, 20, 10).getTime());
  expect(field("from").value).toMatch(/^2026-11-20T10:00(:00)?$/);
});

it("says what is wrong and asks for nothing", () => {
  act(() => render(<CustomRange />, root));
  show("2026-11-20T12:30", "2026-11-20T10:00");
  expect(root.querySelector("[role=status]")?.textContent).toBe("The end must be later than the begin.");
  expect([location.search, custom.value]).toEqual(["", null]);
  expect(objection({ fromMs: Number.NaN, toMs: at }, at)).toBe("Both ends need a day and a time.");
  expect(objection({ fromMs: at, toMs: at + 1 }, at)).toBe("The begin lies in the future.");
  const daysMs = 400 * 24 * HOUR_MS;
  expect(objection({ fromMs: at - daysMs - 1, toMs: at }, at)).toBe("At most 400 days are added up.");
  expect(objection({ fromMs: at - daysMs, toMs: at }, at)).toBeNull();
  expect(objection({ fromMs: at - 1, toMs: at + HOUR_MS }, at)).toBeNull();
});

it("is not taken from an address that has nonsense", () => {
  for (const query of [
    "range=custom",
    "range=custom&from=x&to=y",
    "from=2026-11-20T10:00Z&to=2026-11-20T11:00Z",
  ]) {
    history.replaceState(null, "", `/?${query}`);
    here();
    expect([custom.value, asked.value, customIsOpen.value]).toEqual([null, "window=6h", false]);
  }
});

it("says what is wrong with an address that somebody was sent", () => {
  history.replaceState(null, "", "/?range=custom&from=2030-01-01T00:00:00Z&to=2030-01-02T00:00:00Z");
  here();
  act(() => render(<CustomRange />, root));
  expect(root.querySelector("[role=status]")?.textContent).toBe("The begin lies in the future.");
});
