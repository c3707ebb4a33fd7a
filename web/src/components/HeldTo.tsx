import { useAnswer } from "../answer";
import * as format from "../format";
import type { Objective, Slo } from "../shapes";
import { alarmState, words } from "../words";
import { Info } from "./Info";
import { ReadinessPanel } from "./Readiness";
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
      <ReadinessPanel id={id}>Can it be used?</ReadinessPanel>
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
