import { expect, it } from "vitest";
import { mirrorState, SHAPES } from "./words";

const WORST_FIRST = [
  "diverged",
  "losing",
  "stalled",
  "disconnected",
  "throttled",
  "lagging",
  "unsupported",
  "unknown",
  "ok",
];

it("says every state of a mirror by word, shape and colour, in the order of the API", () => {
  const looks = WORST_FIRST.map(mirrorState);
  expect([...looks].sort((a, b) => a.rank - b.rank)).toEqual(looks);
  expect(new Set(looks.map((look) => look.word)).size).toBe(WORST_FIRST.length);
  for (const look of looks) expect(look.shape).toBe(SHAPES[look.tone]);
});

it("shows a state that is newer than the page as it is, worse than what is known to be well", () => {
  const newer = mirrorState("a_new_word");
  expect(newer.word).toBe("a new word");
  expect(newer.rank).toBeLessThan(mirrorState("ok").rank);
});
