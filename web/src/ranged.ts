/** A page of the API that exists for every range, as one feed a range: made when it is first looked at, kept after that. */
import { Feed } from "./feed";
import type { Range } from "./view";

export class Ranged<T> {
  readonly #feeds = new Map<Range, Feed<T>>();

  constructor(
    /** Path below /api/v1/. */
    readonly path: string,
  ) {}

  at(range: Range): Feed<T> {
    const known = this.#feeds.get(range);
    if (known !== undefined) return known;
    const made = new Feed<T>(`${this.path}?window=${range}`);
    this.#feeds.set(range, made);
    return made;
  }
}
