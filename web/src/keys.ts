/** Keys that work wherever nobody is typing. The list is what the help shows and what happens, so that neither can lie. */

export interface Key {
  /** As it is pressed: one key, or `g` and another. */
  keys: string;
  does: string;
  act: () => void;
}

/** How long after `g` the second key is waited for. */
const CHORD_MS = 1_500;

/** Whether keys belong to what has the focus: a field, a choice, or a dialog that is open. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.matches("input, textarea, select, [contenteditable]") || target.closest("dialog") !== null)
  );
}

/** Reads keys one after the other and does what the list says. */
export class Keys {
  #chord: { first: string; untilMs: number } | null = null;

  constructor(
    readonly list: readonly Key[],
    readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Takes a key; true where it meant something, so that the browser does nothing else with it. */
  press(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "target">): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
    const chord = this.#chord;
    this.#chord = null;
    const first = chord !== null && this.nowMs() <= chord.untilMs ? `${chord.first} ` : "";
    const found = this.list.find(({ keys }) => keys === first + event.key);
    if (found !== undefined) {
      found.act();
      return true;
    }
    if (first === "" && this.list.some(({ keys }) => keys.startsWith(`${event.key} `))) {
      this.#chord = { first: event.key, untilMs: this.nowMs() + CHORD_MS };
      return true;
    }
    return false;
  }
}
