/**
 * The server's clock as seen from here. Every age on the page is server time less server time: the reader's own clock may be
 * wrong by hours without a wrong age. The `Date` header is cut to whole seconds, hence the smallest of the last differences.
 */
import { signal } from "@preact/signals";

const KEPT = 8;

export class ServerClock {
  #differences: number[] = [];

  /** Notes that an answer stamped `serverMs` arrived when the local clock read `localMs`. */
  observe(serverMs: number, localMs: number): void {
    if (!Number.isFinite(serverMs)) return;
    this.#differences.push(localMs - serverMs);
    if (this.#differences.length > KEPT) this.#differences.shift();
  }

  /** The server's Unix time in milliseconds when the local clock reads `localMs`. */
  at(localMs: number): number {
    return this.#differences.length === 0 ? localMs : localMs - Math.min(...this.#differences);
  }
}

export const serverClock = new ServerClock();

/** Server time in Unix milliseconds, moved once a second. Only what ticks may read it. */
export const now = signal(Date.now());

export function startTicking(): () => void {
  const tick = () => {
    now.value = serverClock.at(Date.now());
  };
  tick();
  const timer = setInterval(tick, 1000);
  return () => clearInterval(timer);
}
