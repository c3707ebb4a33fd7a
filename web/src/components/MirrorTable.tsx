import { holdMarks } from "../marks";
import { worstFirst } from "../rank";
import type { Overview } from "../shapes";
import { asked, lagWindow, range, rangeText } from "../view";
import type { DEFINITIONS } from "../words";
import { Term } from "./Info";
import { MirrorRow } from "./MirrorRow";
import { PrimaryRow } from "./PrimaryRow";

const COLUMNS: { label: string; unit?: () => string; about?: keyof typeof DEFINITIONS; number?: boolean }[] =
  [
    { label: "State" },
    { label: "Source" },
    { label: "Coverage", unit: () => rangeText(range.value), about: "coverage" },
    { label: "Missed", about: "missed", number: true },
    { label: "Late", about: "late", number: true },
    { label: "Extra", about: "extra", number: true },
    { label: "Behind", about: "head", number: true },
    { label: "Lag p50", unit: () => rangeText(lagWindow.value), about: "lag", number: true },
    { label: "p95", number: true },
    { label: "p99", number: true },
    { label: "RTT", about: "rtt", number: true },
    { label: "Link up", about: "connected", number: true },
  ];

/** Every source and its figures, the primary pinned on top, then the worst mirror first. Becomes cards where narrow. */
export function MirrorTable({ data }: { data: Overview }) {
  return (
    <section class="panel" aria-labelledby="mirrors-title">
      <div class="panel-head">
        <h2 id="mirrors-title">Mirrors</h2>
        <span class="hint">worst first</span>
        <span class="formats">
          <a class="json" href={`/api/v1/analytics/coverage.csv?${asked.value}`} data-csv download>
            CSV
          </a>
          <a class="json" href="/api/v1/overview">
            JSON
          </a>
        </span>
      </div>
      <div class="scroller">
        <table class="mirrors" onPointerEnter={() => holdMarks(true)} onPointerLeave={() => holdMarks(false)}>
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <th key={column.label} scope="col" class={column.number ? "num" : undefined}>
                  {column.about ? <Term about={column.about} label={column.label} /> : column.label}
                  {column.unit ? <span class="unit"> {column.unit()}</span> : null}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <PrimaryRow primary={data.primary} />
            {worstFirst(data.mirrors).map((mirror) => (
              <MirrorRow key={mirror.id} mirror={mirror} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
