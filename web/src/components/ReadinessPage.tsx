import { worstFirst } from "../rank";
import { overview } from "../state";
import { MirrorLink } from "./Ids";
import { ReadinessPanel } from "./Readiness";
import { Stale, Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";

/** Which mirrors can take the primary's place for who reads operations, and what is held against the others. */
export function ReadinessPage() {
  const { page, error } = overview.state.value;
  const failure = error === null ? null : { status: null, code: "network", detail: error };
  const mirrors = page === null ? null : worstFirst(page.data.mirrors);
  return (
    <main data-page="readiness">
      <ViewHead title="Which mirrors can be used?" json="/api/v1/mirrors" />
      <p class="hint">
        A mirror is ready when every criterion holds. What cannot be told yet fails none: it leaves it open.
      </p>
      <Stale failure={mirrors === null ? null : failure} />
      {mirrors === null ? <Unanswered what="the mirrors" failure={failure} /> : null}
      {mirrors?.length === 0 ? <p class="hint">No mirror is configured.</p> : null}
      <div class="groups">
        {mirrors?.map(({ id }) => (
          <ReadinessPanel key={id} id={id}>
            <MirrorLink id={id} />
          </ReadinessPanel>
        ))}
      </div>
    </main>
  );
}
