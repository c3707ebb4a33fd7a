/** A page of the API that exists for every range, as one feed a range: made when it is first looked at, kept after that. */
import { Feed } from "./feed";

/** Feeds that are kept: of every range that ends now, and of the newest spans. */
const FEEDS_MAX = 12;

export class Ranged<T> {
  readonly #feeds = new Map<string, Feed<T>>();

  constructor(
    /** Path below /api/v1/. */
    readonly path: string,
  ) {}

  /** The page of what is asked for, as `window=6h`. */
  at(asked: string): Feed<T> {
    const known = this.#feeds.get(asked);
    if (known !== undefined) return known;
    const made = new Feed<T>(`${this.path}?${asked}`);
    const [oldest] = this.#feeds.keys();
    if (oldest !== undefined && this.#feeds.size >= FEEDS_MAX) this.#feeds.delete(oldest);
    this.#feeds.set(asked, made);
    return made;
  }
}
