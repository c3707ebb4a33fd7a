import type { Failure } from "../answer";
import * as format from "../format";

/** While there is nothing to show: what is awaited, or why there is nothing, in words. */
export function Unanswered({ what, failure }: { what: string; failure: Failure | null }) {
  if (failure === null) {
    return (
      <p class="banner" role="status">
        <span aria-hidden="true">○ </span>Asking for {what}…
      </p>
    );
  }
  const again = failure.status === 404 || failure.status === 400 ? "" : " Trying again every few seconds.";
  return (
    <p class="banner amber" role="status" data-failure={failure.code}>
      <span aria-hidden="true">▲ </span>
      {format.visible(failure.detail)}.{again}
    </p>
  );
}

/** Above an answer that is shown although a newer one could not be had. */
export function Stale({ failure }: { failure: Failure | null }) {
  if (failure === null) return null;
  return (
    <p class="banner amber" role="status">
      <span aria-hidden="true">▲ </span>Not brought up to date: {format.visible(failure.detail)}. Trying
      again.
    </p>
  );
}
