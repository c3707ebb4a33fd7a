/** The keys of this page: what each does. */
import { signal } from "@preact/signals";
import { type Key, Keys } from "./keys";
import { go } from "./route";
import { toggleTheme } from "./theme";
import { stepRange, toggleZone } from "./view";

export const helpIsOpen = signal(false);
/** What a key did that nothing else on the page shows; empty after a while. */
export const told = signal("");
const TOLD_MS = 3_000;

let clearing: ReturnType<typeof setTimeout> | undefined;

function tell(text: string): void {
  told.value = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => {
    told.value = "";
  }, TOLD_MS);
}

/** Puts the address of what is shown into the clipboard. */
export async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    tell("The link to this view is copied.");
  } catch {
    tell("This browser lets nothing be copied here: take the link from the address bar.");
  }
}

/** Takes the first table of the view as a file. */
function exportView(): void {
  const link = document.querySelector<HTMLAnchorElement>("main a[data-csv]");
  if (link === null) tell("Nothing here can be had as CSV.");
  else link.click();
}

export const KEYS: readonly Key[] = [
  { keys: "/", does: "find a DID, a CID or a mirror", act: () => document.getElementById("search")?.focus() },
  { keys: "g o", does: "overview", act: () => go("/") },
  { keys: "g m", does: "misses", act: () => go("/misses") },
  { keys: "g i", does: "incidents", act: () => go("/incidents") },
  { keys: "g l", does: "live", act: () => go("/live") },
  { keys: "[", does: "look back less far", act: () => stepRange(-1) },
  { keys: "]", does: "look back farther", act: () => stepRange(1) },
  { keys: "u", does: "times in UTC or local", act: toggleZone },
  { keys: "t", does: "light or dark", act: toggleTheme },
  { keys: "c", does: "copy the link to this view", act: () => void copyLink() },
  { keys: "e", does: "this view as CSV", act: exportView },
  {
    keys: "?",
    does: "these keys",
    act: () => {
      helpIsOpen.value = true;
    },
  },
];

export function startShortcuts(): void {
  const keys = new Keys(KEYS);
  addEventListener("keydown", (event) => {
    if (!event.defaultPrevented && keys.press(event)) event.preventDefault();
  });
}
