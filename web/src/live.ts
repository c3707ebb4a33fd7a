/**
 * The live socket: notices of new revisions. It never carries data, so losing it loses nothing: while it is away the page
 * polls, and tries again with exponential backoff and jitter.
 */
import { type Signal, signal } from "@preact/signals";

export interface Connection {
  status: "connecting" | "live" | "reconnecting";
  /** Tries since the socket was last open. */
  attempt: number;
}

/** The part of a browser's WebSocket that is used here. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LiveOptions {
  open: () => Socket;
  /** What it is to say first, once it is open. */
  greeting?: string;
  /** A message that is no notice. */
  onMessage?: (fields: ReadonlyMap<string, unknown>) => void;
  /** A page has a new revision. */
  onRevision: (topic: string, revision: number) => void;
  /** Notices may have been lost, or none come: everything has to be asked for. */
  onCatchUp: () => void;
  /** A socket that says nothing for so long is taken for dead. */
  silenceMs: () => number;
  random?: () => number;
}

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const POLL_MS = 5_000;
const HANDSHAKE_MS = 10_000;

/** How long to wait before try `attempt` (1, 2, …): full jitter over the upper half of a doubling span. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt - 1, 10));
  return ceiling / 2 + (random * ceiling) / 2;
}

type Timer = ReturnType<typeof setTimeout>;

export class Live {
  readonly connection: Signal<Connection> = signal<Connection>({ status: "connecting", attempt: 0 });
  #options: LiveOptions;
  #socket: Socket | null = null;
  #retry: Timer | null = null;
  #silence: Timer | null = null;
  #poll: ReturnType<typeof setInterval> | null = null;
  #running = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#connect();
  }

  stop(): void {
    this.#running = false;
    this.#stopPolling();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#drop();
  }

  /** The reader came back or the network did: try now instead of waiting out the backoff. */
  hurry(): void {
    if (!this.#running || this.#retry === null) return;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#connect();
  }

  #connect(): void {
    this.#retry = null;
    let socket: Socket;
    try {
      socket = this.#options.open();
    } catch {
      this.#lost();
      return;
    }
    this.#socket = socket;
    this.#watchSilence(HANDSHAKE_MS);
    socket.onopen = () => {
      this.connection.value = { status: "live", attempt: 0 };
      this.#stopPolling();
      this.#watchSilence(this.#options.silenceMs());
      if (this.#options.greeting !== undefined) socket.send(this.#options.greeting);
      this.#options.onCatchUp();
    };
    socket.onmessage = (event) => {
      this.#watchSilence(this.#options.silenceMs());
      this.#read(event.data);
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
  }

  #read(data: unknown): void {
    if (typeof data !== "string") return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message === null || typeof message !== "object") return;
    const fields = new Map<string, unknown>(Object.entries(message));
    const [topic, revision] = [fields.get("topic"), fields.get("revision")];
    if (fields.get("type") === "revision" && typeof topic === "string" && typeof revision === "number") {
      this.#options.onRevision(topic, revision);
    } else if (fields.has("lagged")) {
      this.#options.onCatchUp();
    } else {
      this.#options.onMessage?.(fields);
    }
  }

  #lost(): void {
    this.#drop();
    if (!this.#running) return;
    const attempt = this.connection.value.attempt + 1;
    this.connection.value = { status: "reconnecting", attempt };
    this.#poll ??= setInterval(() => this.#options.onCatchUp(), POLL_MS);
    const random = (this.#options.random ?? Math.random)();
    this.#retry = setTimeout(() => this.#connect(), backoffMs(attempt, random));
  }

  #drop(): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #watchSilence(ms: number): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), ms);
  }

  #stopPolling(): void {
    if (this.#poll !== null) clearInterval(this.#poll);
    this.#poll = null;
  }
}

/** The address of the live socket of the server that this document came from. */
export function liveUrl(location: { protocol: string; host: string }): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/api/v1/live`;
}
