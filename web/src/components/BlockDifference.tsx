import * as format from "../format";
import { paths } from "../route";
import type { DifferencePart, DifferingBlock, DifferingOperation } from "../vantage-shapes";

const names = (of: readonly string[]) => of.map(format.visible).join(", ");

/** What observers were shown of a block and not all of them alike, operation by operation. */
export function BlockDifference({ block }: { block: DifferingBlock }) {
  const title = `block-${block.first_seq}-${block.primary.replaceAll(/[^a-z0-9]/g, "-")}`;
  const { parts, left_out_ops } = block.operations;
  const listed = parts.reduce((sum, part) => sum + part.listed.length, 0);
  const all = parts.reduce((sum, part) => sum + part.ops, left_out_ops);
  return (
    <section class="panel" aria-labelledby={title} data-block={block.first_seq}>
      <div class="panel-head">
        <h2 id={title}>
          Shown differently: {block.first_seq}–{block.first_seq + 999}
        </h2>
        <span class="hint">{format.visible(block.text)}</span>
      </div>
      <p class="hint">{state(block)}</p>
      {listed > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by key
        <section class="scroller" tabIndex={0} aria-label="The operations">
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Operation</th>
                <th scope="col">Shown to</th>
                <th scope="col">Not shown to</th>
              </tr>
            </thead>
            <tbody>
              {parts.flatMap((part) =>
                part.listed.map((op) => <Row key={`${op.did} ${op.cid}`} op={op} part={part} />),
              )}
            </tbody>
          </table>
        </section>
      )}
      {all > listed && <p class="hint">{format.count(all - listed)} more are not listed.</p>}
    </section>
  );
}

/** What is known of the operations, and what that says. */
function state({ operations }: DifferingBlock): string {
  const told = [
    ["told by", operations.told_by],
    ["not told yet by", operations.awaited_from],
    ["no longer held by", operations.not_held_by],
  ] as const;
  const known = told.filter(([, of]) => of.length > 0).map(([how, of]) => `${how} ${names(of)}`);
  const means =
    "Each tells what reached it whole; whether the primary, a path or an observer made the difference is not said by it.";
  return `Operations ${known.join("; ")}. ${means}`;
}

function Row({ op, part }: { op: DifferingOperation; part: DifferencePart }) {
  const shown = op.numbers.map(({ seq, vantages }) => `${names(vantages)} as ${seq}`).join("; ");
  return (
    <tr data-op={op.cid}>
      <th scope="row" data-label="Operation">
        <a href={paths.op(op.did, op.cid)}>{op.did}</a>
        <span class="sub">{op.cid}</span>
      </th>
      <td data-label="Shown to">{shown}</td>
      <td data-label="Not shown to">
        {part.not_shown_to.length > 0 ? names(part.not_shown_to) : "nobody: under different numbers"}
      </td>
    </tr>
  );
}
