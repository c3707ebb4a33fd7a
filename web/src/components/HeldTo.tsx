import { useAnswer } from "../answer";
import * as format from "../format";
import type { Objective, Readiness, Slo } from "../shapes";
import { alarmState, criterionState, readinessState, words } from "../words";
import { Info } from "./Info";
import { Shape } from "./Shape";
import { ChartHead } from "./Twin";
import { Unanswered } from "./Unanswered";
import { Value } from "./Value";

const EVERY_MS = 10_000;

/** What one mirror is held to: its error budgets, and whether it can be used. */
export function HeldTo({ id }: { id: string }) {
  return (
    <div class="pair even">
      <Budgets id={id} />
      <Ready id={id} />
    </div>
  );
}

function Budgets({ id }: { id: string }) {
  const url = "/api/v1/slo";
  const { page, failure } = useAnswer<Slo>(url, EVERY_MS);
  const objectives = page?.data.mirrors.find((mirror) => mirror.id === id)?.objectives;
  return (
    <section class="panel" aria-labelledby="budget-title">
      <ChartHead id="budget-title" json={url} hint="last 30 days; what we did not see spends nothing">
        Error budget <Info about="budget" label="an error budget" />
      </ChartHead>
      {objectives === undefined ? (
        <Unanswered what="its error budgets" failure={failure} />
      ) : (
        <div class="scroller">
          <table class="list numbers">
            <caption class="visually-hidden">Error budgets</caption>
            <thead>
              <tr>
                <th scope="col">Objective</th>
                <th scope="col">Is</th>
                <th scope="col">Faults</th>
                <th scope="col">Budget left</th>
                <th scope="col">Burn rate, 1 h</th>
                <th scope="col">Alarm</th>
              </tr>
            </thead>
            <tbody>
              {objectives.map((objective) => (
                <Budget key={objective.slo} objective={objective} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** What is left of a budget: a share of it, or how many times over it is spent. */
export function leftText(ratio: number): string {
  return ratio >= 0 ? format.percent(ratio, 1_000) : `spent ${Number((1 - ratio).toPrecision(2))} times`;
}

function Budget({ objective }: { objective: Objective }) {
  const { slo, target_ratio, ops, fault_ops, good_ratio, budget_left_ratio, burn_rates } = objective;
  const rate = burn_rates["1h"] ?? null;
  return (
    <tr data-slo={slo}>
      <th scope="row">
        {words(slo)}, {format.percent(target_ratio, 1_000)}
      </th>
      <td data-label="Is">
        <Value of={objective} name="good_ratio" figure={`good-${slo}`}>
          {format.percent(good_ratio, ops)}
        </Value>
      </td>
      <td data-label="Faults">{format.nOfN(fault_ops, ops)}</td>
      <td data-label="Budget left">
        <Value of={objective} name="budget_left_ratio" figure={`budget-${slo}`}>
          {budget_left_ratio === null ? null : leftText(budget_left_ratio)}
        </Value>
      </td>
      <td data-label="Burn rate, 1 h">
        <Value of={burn_rates} name="1h" figure={`burn-${slo}`}>
          {rate === null ? null : `${Number(rate.toPrecision(3))}×`}
        </Value>
      </td>
      <td data-label="Alarm">
        <Shape state={alarmState(objective.alarm)} />
      </td>
    </tr>
  );
}

function Ready({ id }: { id: string }) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}/readiness`;
  const { page, failure } = useAnswer<Readiness>(url, EVERY_MS);
  const data = page?.data ?? null;
  return (
    <section class="panel" aria-labelledby="ready-title">
      <div class="panel-head">
        <h2 id="ready-title">Can it be used?</h2>
        <a href="/methodology#readiness">how it is made</a>
        <a class="json" href={url}>
          JSON
        </a>
      </div>
      {data === null ? (
        <Unanswered what="its readiness" failure={failure} />
      ) : (
        <>
          <p data-readiness={data.readiness}>
            <Shape state={readinessState(data.readiness)} />{" "}
            <span class="hint">
              monitors ask <a href={url.replace("readiness", "check")}>its check</a>: 200 where it is well
            </span>
          </p>
          <ul class="probes">
            {data.criteria.map((criterion) => (
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
