/** The events of nodes, kept up to date by server-sent events: the newest first of all, then each as it comes. */
import { type Signal, signal } from "@preact/signals";
import { ask, type Failure } from "./answer";
import { type NodeEvent, readEvent, withNew } from "./node-events";

const QUERY = "type=node/event";
/** The newest events as one answer. */
export const NEWEST_URL = `/api/v1/log?${QUERY}&last=1000`;
/** An answer that could not be had is asked for again after this. */
const AGAIN_MS = 5_000;
/** What comes at once is drawn at once. */
const DRAW_EVERY_MS = 250;

interface LogData {
  actions: readonly unknown[];
  through: number;
}

/** How the page stands to what happens. */
export type Standing = "asking" | "live" | "interrupted";

/** What this needs of an event source. */
export interface Source {
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  close(): void;
}

export class NodeStream {
  /** Null before the first answer. */
  readonly events: Signal<readonly NodeEvent[] | null> = signal<readonly NodeEvent[] | null>(null);
  readonly standing: Signal<Standing> = signal<Standing>("asking");
  /** Why there is no answer. */
  readonly failure: Signal<Failure | null> = signal<Failure | null>(null);
  #source: Source | null = null;
  #came: NodeEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #leaving = new AbortController();
  #open: (url: string) => Source;

  constructor(open: (url: string) => Source = (url) => new EventSource(url) as Source) {
    this.#open = open;
  }

  async start(): Promise<void> {
    const { page, failure } = await ask<LogData>(NEWEST_URL, this.#leaving.signal);
    if (this.#leaving.signal.aborted) return;
    this.failure.value = failure;
    if (page === null) {
      this.#timer = setTimeout(() => void this.start(), AGAIN_MS);
      return;
    }
    this.events.value = withNew([], read(page.data.actions));
    const source = this.#open(`/api/v1/log/stream?${QUERY}&after=${page.data.through}`);
    this.#source = source;
    source.onopen = () => {
      this.standing.value = "live";
    };
    // It connects again by itself, and goes on behind the last event that came.
    source.onerror = () => {
      this.standing.value = "interrupted";
    };
    source.onmessage = (event) => this.#take(event.data);
  }

  stop(): void {
    this.#leaving.abort();
    this.#source?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #take(text: string): void {
    this.#came.push(...read([parsed(text)]));
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.events.value = withNew(this.events.peek() ?? [], this.#came);
      this.#came = [];
    }, DRAW_EVERY_MS);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function read(actions: readonly unknown[]): NodeEvent[] {
  return actions.map(readEvent).filter((event) => event !== null);
}
