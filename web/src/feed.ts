/**
 * One page of the API as a signal: fetched with its ETag, kept when a fetch fails, never fetched twice at once. What asks
 * for it while a fetch is under way is answered by one more fetch after it.
 */
import { type Signal, signal } from "@preact/signals";
import { type ServerClock, serverClock } from "./clock";
import type { Envelope } from "./shapes";

const FETCH_TIMEOUT_MS = 10_000;

export interface FeedState<T> {
  page: Envelope<T> | null;
  /** What the last fetch failed with; null after one that worked. */
  error: string | null;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export class Feed<T> {
  readonly state: Signal<FeedState<T>> = signal<FeedState<T>>({ page: null, error: null });
  readonly url: string;
  #etag: string | null = null;
  #running: Promise<void> | null = null;
  #again = false;
  #fetch: Fetch;
  #clock: ServerClock;

  constructor(
    /** The key of the page in revision notices, which is its path below /api/v1/. */
    readonly topic: string,
    fetcher: Fetch = (url, init) => fetch(url, init),
    clock: ServerClock = serverClock,
  ) {
    this.url = `/api/v1/${topic}`;
    this.#fetch = fetcher;
    this.#clock = clock;
  }

  /** Takes a page that came with the document, so that the first paint has numbers. */
  seed(page: Envelope<T>): void {
    this.#etag = `"${page.meta.snapshot_id}.${page.meta.revision}"`;
    this.state.value = { page, error: null };
  }

  /** A notice says that `revision` exists: fetch, unless it is here already. */
  notice(revision: number): void {
    if (this.state.value.page?.meta.revision === revision && this.#running === null) return;
    void this.refresh();
  }

  /** Fetches the page; resolves when what was asked for now has been fetched or has failed. Never rejects. */
  refresh(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#drain().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #drain(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#once();
      } catch (error) {
        this.state.value = {
          ...this.state.value,
          error: error instanceof Error ? error.message : String(error),
        };
        return;
      }
    } while (this.#again);
  }

  async #once(): Promise<void> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (this.#etag !== null) headers["if-none-match"] = this.#etag;
    // no-store: the ETag is ours to send, and a browser's cache would answer within max-age without asking.
    const response = await this.#fetch(this.url, {
      headers,
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    });
    this.#clock.observe(Date.parse(response.headers.get("date") ?? ""), Date.now());
    if (response.status === 304) {
      this.state.value = { ...this.state.value, error: null };
      return;
    }
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const page = (await response.json()) as Envelope<T>;
    this.#clock.observe(Date.parse(page.meta.generated_at), Date.now());
    this.#etag = response.headers.get("etag");
    this.state.value = { page, error: null };
  }
}
