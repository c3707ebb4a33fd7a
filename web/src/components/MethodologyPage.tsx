import { useEffect } from "preact/hooks";
import { useAnswer } from "../answer";
import * as format from "../format";
import type { Methodology } from "../shapes";
import { MirrorLink } from "./Ids";
import { Stale, Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";

const URL_OF = "/api/v1/methodology";
const EVERY_MS = 60_000;

/** Every formula behind a figure of the page, with the parameters in force. */
export function MethodologyPage() {
  const { page, failure } = useAnswer<Methodology>(URL_OF, EVERY_MS);
  const isThere = page !== null;
  useEffect(() => {
    // The formulas come after the document: what the address names is only now there to be gone to.
    if (isThere && location.hash.length > 1)
      document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  }, [isThere]);
  return (
    <main data-page="methodology">
      <ViewHead title="How the numbers are made" json={URL_OF} />
      <p class="summary">
        An operation is judged only where this observer, the primary and the mirror were all provably looked
        at; everything else is <b>unknown</b>, and in no share.
      </p>
      <Stale failure={page === null ? null : failure} />
      {page === null ? <Unanswered what="the formulas" failure={failure} /> : <Body page={page.data} />}
    </main>
  );
}

function Body({ page }: { page: Methodology }) {
  return (
    <>
      <section class="panel" aria-labelledby="formulas-title">
        <div class="panel-head">
          <h2 id="formulas-title">Formulas</h2>
          <span class="hint">{format.count(page.formulas.length)}, each with an address of its own</span>
        </div>
        <dl class="formulas">
          {page.formulas.map(({ id, formula, meaning }) => (
            <div key={id} id={id} data-formula={id}>
              <dt>
                <a href={`/methodology#${id}`}>{format.visible(id.replaceAll("_", " "))}</a>
              </dt>
              <dd>
                <code>{format.visible(formula)}</code>
                <span class="sub">{format.visible(meaning)}</span>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <Parameters page={page} />
    </>
  );
}

function Parameters({
  page: { parameters: p, are_extras_confirmed_by_export: confirmed },
}: {
  page: Methodology;
}) {
  const span = (seconds: number) => format.duration(seconds * 1000);
  return (
    <section class="panel" aria-labelledby="parameters-title">
      <div class="panel-head">
        <h2 id="parameters-title">Parameters in force</h2>
      </div>
      <dl class="facts">
        <dt>Look-back</dt>
        <dd>a mirror may be {span(p.look_back_s)} earlier than the primary</dd>
        <dt>Intervals</dt>
        <dd>
          of {span(p.interval_s)}; verdicts can be revised for {span(p.revision_horizon_s)}
        </dd>
        <dt>Settling</dt>
        <dd>timing waits {span(p.settle_s)} for disturbances that show afterwards</dd>
        <dt>Extras</dt>
        <dd>
          {confirmed
            ? "are checked against the primary's export before they are called so"
            : "cannot be checked against the primary's export, which it does not offer"}
        </dd>
      </dl>
      <div class="scroller">
        <table class="list">
          <thead>
            <tr>
              <th scope="col">Mirror</th>
              <th scope="col">On time within</th>
              <th scope="col">Missed after</th>
            </tr>
          </thead>
          <tbody>
            {p.mirrors.map((mirror) => (
              <tr key={mirror.id}>
                <th scope="row" data-label="Mirror">
                  <MirrorLink id={mirror.id} />
                </th>
                <td data-label="On time within">{span(mirror.on_time_s)}</td>
                <td data-label="Missed after">{span(mirror.grace_s)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
