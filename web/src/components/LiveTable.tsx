import { Component } from "preact";
import * as format from "../format";
import type { LiveOp } from "../ops-log";
import { outcome, reasonText, words } from "../words";
import { At, DidLink, mirrorName, OpLink } from "./Ids";
import { Shape } from "./Shape";

interface TableProps {
  ops: readonly LiveOp[];
  mirrors: readonly string[];
  /** Indices of the mirrors whose arrivals are shown. */
  shown: readonly number[];
}

export function LiveTable({ ops, mirrors, shown }: TableProps) {
  // Read here and handed down: a row that read them itself would be drawn again with every overview.
  const names = mirrors.map(mirrorName);
  const key = JSON.stringify([shown, mirrors, names]);
  return (
    <table class="list live">
      <caption class="visually-hidden">The newest operations and their arrival at each mirror</caption>
      <thead>
        <tr>
          <th scope="col">Created</th>
          <th scope="col">Kind</th>
          <th scope="col">DID</th>
          <th scope="col">Operation</th>
          <th scope="col" class="num">
            Seq
          </th>
          {shown.map((index) => (
            <th key={mirrors[index]} scope="col">
              <bdi>{names[index]}</bdi>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {ops.map((op) => (
          <Row key={op.number} op={op} mirrors={mirrors} names={names} shown={shown} columns={key} />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  op: LiveOp;
  mirrors: readonly string[];
  names: readonly string[];
  shown: readonly number[];
  /** Stands for the three above: rows are drawn again when it changes. */
  columns: string;
}

/** One operation; drawn again only when something about it changed. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: Readonly<RowProps>): boolean {
    return next.op !== this.props.op || next.columns !== this.props.columns;
  }

  override render({ op, mirrors, names, shown }: RowProps) {
    return (
      <tr data-op={op.number} data-kind={op.kind}>
        <th scope="row">
          <At at={op.created_at} />
        </th>
        <td data-label="Kind">{words(op.kind)}</td>
        <td data-label="DID">
          <DidLink did={op.did} />
        </td>
        <td data-label="Operation">
          <OpLink did={op.did} cid={op.cid} />
        </td>
        <td data-label="Seq" class="num">
          {op.seq === null ? format.DASH : format.count(op.seq)}
        </td>
        {shown.map((index) => (
          <Arrival
            key={mirrors[index]}
            op={op}
            index={index}
            mirror={mirrors[index] ?? ""}
            name={names[index] ?? ""}
          />
        ))}
      </tr>
    );
  }
}

/** A mirror's arrival: shape and word where there is none, shape and time where there is. */
function Arrival({ op, index, mirror, name }: { op: LiveOp; index: number; mirror: string; name: string }) {
  const verdict = op.verdicts[index] ?? "unknown";
  const offset = op.offsets_ms[index] ?? null;
  const reason = op.unknown_reasons[index] ?? null;
  // What has come and is not settled yet has come.
  const state = outcome(verdict === "pending" && offset !== null ? "on_time" : verdict);
  const why = reason === null ? "" : `: ${reasonText(reason)}`;
  return (
    <td data-label={name} data-mirror={mirror} data-verdict={verdict} title={`${state.word}${why}`}>
      <Shape state={state} wordless={offset !== null} />
      {offset === null ? null : (
        <>
          <span class="visually-hidden">{state.word} </span>
          {format.signed(offset)}
        </>
      )}
    </td>
  );
}
