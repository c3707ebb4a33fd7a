/**
 * The newest operations, kept up to date by a live socket of their own, and what of them is shown: at most four times a second
 * something new, and nothing new while it is held.
 */
import { type Signal, signal } from "@preact/signals";
import { ask } from "./answer";
import { Live, liveUrl, type Socket } from "./live";
import { EMPTY, merged, type OpsLog, type OpsMessage, readMessage } from "./ops-log";

const RECENT_URL = "/api/v1/ops/recent";
/** The server says something every second, also that nothing comes. */
const SILENCE_MS = 10_000;
const DRAW_EVERY_MS = 250;
/** As many readers get the operations as may: meanwhile all of them are asked for this often, and the socket is tried anew. */
const ASK_EVERY_MS = 5_000;
const TRY_AGAIN_MS = 60_000;

export class OpsStream {
  /** What is shown. */
  readonly shown: Signal<OpsLog> = signal<OpsLog>(EMPTY);
  /** Newer operations that wait while the list is held. */
  readonly waiting: Signal<number> = signal(0);
  readonly live: Live;
  /** How many readers get what comes as it comes, while there is no room for this one; 0 where there is. */
  readonly readersMax: Signal<number> = signal(0);
  #asking: ReturnType<typeof setInterval> | null = null;
  #trying: ReturnType<typeof setTimeout> | null = null;
  #latest: OpsLog = EMPTY;
  #held = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #leaving = new AbortController();

  constructor(open: () => Socket = () => new WebSocket(liveUrl(location)) as Socket) {
    this.live = new Live({
      open,
      greeting: JSON.stringify({ type: "subscribe", topics: ["ops"] }),
      onRevision: () => undefined,
      onCatchUp: () => void this.#fetch(),
      onMessage: (fields) => {
        if (fields.get("type") === "refused") return this.#refused(Number(fields.get("limit")));
        const message = readMessage(fields);
        if (message !== null) this.take(message);
      },
      silenceMs: () => SILENCE_MS,
    });
  }

  start(): void {
    void this.#fetch();
    this.live.start();
  }

  stop(): void {
    this.#leaving.abort();
    this.#settle();
    this.live.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** There is no room: what comes is asked for now and then, and a while later there may be room. */
  #refused(limit: number): void {
    this.live.stop();
    this.#settle();
    this.readersMax.value = limit;
    this.#asking = setInterval(() => void this.#fetch(), ASK_EVERY_MS);
    this.#trying = setTimeout(() => {
      this.#settle();
      this.live.start();
    }, TRY_AGAIN_MS);
  }

  #settle(): void {
    if (this.#asking !== null) clearInterval(this.#asking);
    if (this.#trying !== null) clearTimeout(this.#trying);
    [this.#asking, this.#trying, this.readersMax.value] = [null, null, 0];
  }

  /** While it is held, what is shown stays as it is. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    if (!held) this.#draw();
  }

  take(message: OpsMessage): void {
    this.#latest = merged(this.#latest, message);
    if (this.#held) {
      const newest = this.shown.peek().ops[0]?.number ?? -1;
      this.waiting.value = this.#latest.ops.filter((op) => op.number > newest).length;
      return;
    }
    if (this.#timer !== null) return;
    const wait = this.#drawnAt + DRAW_EVERY_MS - performance.now();
    if (wait <= 0) this.#draw();
    else
      this.#timer = setTimeout(() => {
        this.#timer = null;
        if (!this.#held) this.#draw();
      }, wait);
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    this.waiting.value = 0;
    this.shown.value = this.#latest;
  }

  /** All of them as one answer: before the socket's first message, and while there is no socket. */
  async #fetch(): Promise<void> {
    const { page } = await ask<OpsMessage>(RECENT_URL, this.#leaving.signal);
    if (page === null || this.#leaving.signal.aborted) return;
    // What the socket told meanwhile is newer.
    if (this.#latest.at !== null && page.data.at <= this.#latest.at) return;
    this.take({ ...page.data, is_whole: true });
  }
}
