import type { ComponentChildren } from "preact";
import { useAnswer } from "../answer";
import * as format from "../format";
import type { Readiness } from "../shapes";
import { criterionState, readinessState, words } from "../words";
import { Shape } from "./Shape";
import { Stale, Unanswered } from "./Unanswered";

const EVERY_MS = 10_000;

/** Whether a mirror can be used: the verdict, and each criterion with what it rests on. */
export function ReadinessPanel({ id, children: title }: { id: string; children: ComponentChildren }) {
  const base = `/api/v1/mirrors/${encodeURIComponent(id)}`;
  const url = `${base}/readiness`;
  const { page, failure } = useAnswer<Readiness>(url, EVERY_MS);
  const titled = `ready-${id}`;
  return (
    <section class="panel" aria-labelledby={titled} data-mirror={id}>
      <div class="panel-head">
        <h2 id={titled}>{title}</h2>
        <a href="/methodology#readiness">how it is made</a>
        <a class="json" href={url}>
          JSON
        </a>
      </div>
      <Stale failure={page === null ? null : failure} />
      {page === null ? (
        <Unanswered what="its readiness" failure={failure} />
      ) : (
        <>
          <p data-readiness={page.data.readiness}>
            <Shape state={readinessState(page.data.readiness)} />{" "}
            <span class="hint">
              monitors ask <a href={`${base}/check`}>its check</a>: 200 where it is well
            </span>
          </p>
          <ul class="probes">
            {page.data.criteria.map((criterion) => (
              <li key={criterion.id} data-criterion={criterion.id}>
                <Shape state={criterionState(criterion.status)} /> <b>{words(criterion.id)}</b>:{" "}
                {format.visible(criterion.why)}{" "}
                <a class="json" href={criterion.link_json} title={`${words(criterion.id)} as JSON`}>
                  JSON
                </a>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
