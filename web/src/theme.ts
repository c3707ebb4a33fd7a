/** Light or dark: the system's choice until the reader makes one, which is then kept in this browser. */
import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "mirrorwatch.theme";

function parse(value: string | null): Theme | null {
  return value === "light" || value === "dark" ? value : null;
}

function stored(): Theme | null {
  const asked = parse(new URLSearchParams(location.search).get("theme"));
  if (asked !== null) return asked;
  try {
    return parse(localStorage.getItem(KEY));
  } catch {
    return null; // Storage may be forbidden; the page works without.
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const system = signal<Theme>(dark.matches ? "dark" : "light");
const chosen = signal<Theme | null>(null);

/** The theme in force; charts read it to know when to take their colours again. */
export const theme = signal<Theme>(system.value);

export function startTheme(): void {
  chosen.value = stored();
  dark.addEventListener("change", () => {
    system.value = dark.matches ? "dark" : "light";
  });
  effect(() => {
    const next = chosen.value ?? system.value;
    // The attribute first: whoever follows the signal reads colours that depend on it.
    document.documentElement.dataset.theme = next;
    theme.value = next;
  });
}

export function toggleTheme(): void {
  const next: Theme = theme.value === "dark" ? "light" : "dark";
  chosen.value = next === system.value ? null : next;
  try {
    if (chosen.value === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen.value);
  } catch {
    // Forbidden storage: the choice lasts as long as the page.
  }
}
