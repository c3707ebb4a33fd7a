import { useAnswer } from "../answer";
import * as format from "../format";
import { ageText } from "../mirror-series";
import type { MirrorDivergence } from "../shapes";
import { Info } from "./Info";
import { ChartHead } from "./Twin";
import { Unanswered } from "./Unanswered";

const EVERY_MS = 10_000;

/** How dark a cell is: fixed steps by tens, for every mirror. */
export function depth(ops: number): 0 | 1 | 2 | 3 {
  if (ops === 0) return 0;
  if (ops < 10) return 1;
  return ops < 100 ? 2 : 3;
}

/** One sentence: what has been on one side only for longest. */
export function divergenceSummary({ age_ge_s, missing_ops, extra_ops }: MirrorDivergence): string {
  const oldest = (counts: readonly number[]) => {
    const index = counts.findLastIndex((n) => n > 0);
    return index === -1
      ? null
      : `${format.count(counts[index])} for ${ageText(age_ge_s[index] ?? 0)} or more`;
  };
  const [missing, extra] = [oldest(missing_ops), oldest(extra_ops)];
  if (missing === null && extra === null) return "Nothing is on one side only";
  return [
    missing === null ? "It lacks nothing" : `It lacks ${format.count(missing_ops[0])} operations, ${missing}`,
    extra === null ? "has none of its own" : `has ${format.count(extra_ops[0])} of its own, ${extra}`,
  ].join("; it ");
}

/** What is on one side only, by how long: a strip of cells each way. It is a table, so that it needs no twin. */
export function DivergenceStrip({ id }: { id: string }) {
  const url = `/api/v1/mirrors/${encodeURIComponent(id)}/divergence`;
  const { page, failure } = useAnswer<MirrorDivergence>(url, EVERY_MS);
  const data = page?.data ?? null;
  return (
    <section class="panel" aria-labelledby="divergence-title">
      <ChartHead
        id="divergence-title"
        json={url}
        hint="operations on one side only, by how long that has been proved"
      >
        Divergence by age <Info about="divergence" label="divergence" />
      </ChartHead>
      {data === null ? (
        <Unanswered what="its divergence" failure={failure} />
      ) : (
        <>
          <table class="ages">
            <thead>
              <tr>
                <th scope="col">For at least</th>
                {data.age_ge_s.map((age) => (
                  <th key={age} scope="col">
                    {ageText(age).replace("\u202f", " ")}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <Side name="missing" counts={data.missing_ops} ages={data.age_ge_s} tone="missed" />
              <Side name="extra" counts={data.extra_ops} ages={data.age_ge_s} tone="extra" />
            </tbody>
          </table>
          <p class="summary">
            {divergenceSummary(data)}.
            {data.altered_ops === 0
              ? ""
              : ` ${format.count(data.altered_ops)} came with other content than the primary's.`}
          </p>
        </>
      )}
    </section>
  );
}

interface SideProps {
  name: string;
  counts: readonly number[];
  ages: readonly number[];
  tone: "missed" | "extra";
}

function Side({ name, counts, ages, tone }: SideProps) {
  return (
    <tr data-side={name}>
      <th scope="row">{name}</th>
      {ages.map((age, index) => (
        <td key={age} class={`${tone}-${depth(counts[index] ?? 0)}`}>
          {format.count(counts[index])}
        </td>
      ))}
    </tr>
  );
}
