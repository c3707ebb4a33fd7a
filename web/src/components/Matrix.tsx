import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { axisLabels, type Cell, cellAt, cellLines, spanText } from "../cells";
import { coarsened } from "../coarse";
import * as format from "../format";
import { go, paths } from "../route";
import type { History, HistoryMirror } from "../shapes";
import { range } from "../view";
import { Info } from "./Info";
import { MatrixLegend } from "./MatrixLegend";
import { MatrixTip, type Tip } from "./MatrixTip";

interface Props {
  history: History;
  /** Names by mirror id, in the order of the table. */
  names: ReadonlyMap<string, string>;
}

interface Position {
  row: number;
  column: number;
}

function clamp(value: number, top: number): number {
  return Math.min(Math.max(value, 0), top);
}

/** Where a key leads from `at`; null for a key that does not move. */
export function move(at: Position, key: string, rows: number, columns: number): Position | null {
  const steps = new Map<string, Position>([
    ["ArrowLeft", { ...at, column: at.column - 1 }],
    ["ArrowRight", { ...at, column: at.column + 1 }],
    ["ArrowUp", { ...at, row: at.row - 1 }],
    ["ArrowDown", { ...at, row: at.row + 1 }],
    ["Home", { ...at, column: 0 }],
    ["End", { ...at, column: columns - 1 }],
    ["PageUp", { ...at, row: 0 }],
    ["PageDown", { ...at, row: rows - 1 }],
  ]);
  const next = steps.get(key);
  return next === undefined
    ? null
    : { row: clamp(next.row, rows - 1), column: clamp(next.column, columns - 1) };
}

function ordered(history: History, names: ReadonlyMap<string, string>): HistoryMirror[] {
  const byId = new Map(history.mirrors.map((mirror) => [mirror.id, mirror]));
  const known = [...names.keys()].flatMap((id) => byId.get(id) ?? []);
  return [...known, ...history.mirrors.filter((mirror) => !names.has(mirror.id))];
}

/** Mirrors × intervals, a cell each: the page's main picture. A real grid for keyboard and screen reader. */
export function Matrix({ history: whole, names }: Props) {
  const history = useMemo(() => coarsened(whole), [whole]);
  const mirrors = ordered(history, names);
  const columns = history.t_unix_ms.length;
  // By mirror and time: rows and columns move on while somebody looks.
  const [active, setActive] = useState<{ mirror: string; t: number } | null>(null);
  const [tip, setTip] = useState<Tip | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const column = active === null ? -1 : history.t_unix_ms.indexOf(active.t);
  const at = {
    row: Math.max(
      0,
      mirrors.findIndex(({ id }) => id === active?.mirror),
    ),
    column: column < 0 ? Math.max(0, columns - 1) : column,
  };

  // The newest intervals come first where not all fit.
  useEffect(() => {
    scroller.current?.scrollTo({ left: scroller.current.scrollWidth });
  }, [columns]);

  const show = (element: HTMLElement, row: number, column: number) => {
    const mirror = mirrors[row];
    if (mirror === undefined) return;
    setTip({
      anchor: element.getBoundingClientRect(),
      title: `${names.get(mirror.id) ?? mirror.id}, ${spanText(history, column)}`,
      lines: cellLines(history, mirror, column),
    });
  };

  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (event.key === "Escape") setTip(null);
    const mirror = mirrors[at.row];
    if (event.key === "Enter" && found(event.target) !== null && mirror !== undefined) {
      event.preventDefault();
      go(paths.mirror(mirror.id));
      return;
    }
    const next =
      event.ctrlKey || event.metaKey || event.altKey ? null : move(at, event.key, mirrors.length, columns);
    if (next === null) return;
    event.preventDefault();
    event.currentTarget.querySelector<HTMLElement>(`[data-cell="${next.row}:${next.column}"]`)?.focus();
  };

  const found = (target: EventTarget | null): [HTMLElement, number, number] | null => {
    if (!(target instanceof HTMLElement)) return null;
    const cell = target.closest<HTMLElement>("[data-cell]");
    const [row, column] = (cell?.dataset.cell ?? "").split(":").map(Number);
    return cell === null || row === undefined || column === undefined ? null : [cell, row, column];
  };

  return (
    <section class="panel" aria-labelledby="matrix-title">
      <div class="panel-head">
        <h2 id="matrix-title">
          Coverage by interval <Info about="matrix" label="this matrix" />
        </h2>
        <span class="hint">
          {columns} × {format.duration(history.resolution_s * 1000)}, newest right
          {history.parts === 1 ? "" : `, each the worst of ${history.parts}`}; arrow keys move, Enter opens
          the mirror
        </span>
        <span class="formats">
          <a class="json" href={`/api/v1/analytics/history.csv?window=${range.value}`} data-csv download>
            CSV
          </a>
          <a class="json" href={`/api/v1/analytics/history?window=${range.value}`}>
            JSON
          </a>
        </span>
      </div>
      <div class="scroller" ref={scroller}>
        {/* biome-ignore lint/a11y/useSemanticElements: a grid that is moved through by keys, not a table */}
        {/* biome-ignore lint/a11y/useKeyWithMouseEvents: focus bubbles as focusin, which is handled */}
        <div
          class="matrix"
          role="grid"
          aria-labelledby="matrix-title"
          aria-rowcount={mirrors.length}
          aria-colcount={columns}
          tabIndex={-1}
          onKeyDown={onKeyDown}
          onMouseOver={(event) => {
            const cell = found(event.target);
            if (cell !== null) show(...cell);
          }}
          onMouseLeave={() => setTip(null)}
          onFocusIn={(event) => {
            const cell = found(event.target);
            if (cell === null) return;
            const [mirror, t] = [mirrors[cell[1]], history.t_unix_ms[cell[2]]];
            if (mirror !== undefined && t !== undefined) setActive({ mirror: mirror.id, t });
            show(...cell);
          }}
          onFocusOut={() => setTip(null)}
        >
          {mirrors.map((mirror, row) => (
            <Row
              key={mirror.id}
              history={history}
              mirror={mirror}
              name={names.get(mirror.id) ?? mirror.id}
              row={row}
              active={row === at.row ? at.column : -1}
            />
          ))}
        </div>
        <Axis history={history} />
      </div>
      <MatrixLegend />
      {tip === null ? null : <MatrixTip tip={tip} />}
    </section>
  );
}

interface RowProps {
  history: History;
  mirror: HistoryMirror;
  name: string;
  row: number;
  active: number;
}

function Row({ history, mirror, name, row, active }: RowProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a row of the grid above
    // biome-ignore lint/a11y/useFocusableInteractive: its cells take the focus
    <div role="row" class="matrix-row">
      {/* biome-ignore lint/a11y/useSemanticElements: the head of a row of the grid above */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: only the cells take the focus */}
      <div role="rowheader" class="matrix-name" title={name}>
        {format.visible(name)}
      </div>
      {history.t_unix_ms.map((t, column) => (
        // biome-ignore lint/a11y/useSemanticElements: a cell of the grid above
        <div
          key={t}
          role="gridcell"
          class={cellClass(cellAt(history, mirror, column))}
          data-cell={`${row}:${column}`}
          data-mirror={mirror.id}
          data-t={t}
          data-value={String(mirror.coverage_ratio[column] ?? null)}
          tabIndex={column === active ? 0 : -1}
          aria-label={`${spanText(history, column)}: ${cellLines(history, mirror, column).join("; ")}`}
        />
      ))}
    </div>
  );
}

function cellClass(cell: Cell): string {
  const classes = ["cell", `step-${cell.step}`];
  if (cell.provisional) classes.push("provisional");
  if (cell.unknown) classes.push("unknown");
  if (cell.hasExtra) classes.push("has-extra");
  if (cell.impaired) classes.push("impaired");
  return classes.join(" ");
}

function Axis({ history }: { history: History }) {
  const labels = axisLabels(history, 12);
  return (
    <div class="matrix-row matrix-axis" aria-hidden="true">
      <div class="matrix-name">{format.zoneWord()}</div>
      {history.t_unix_ms.map((t, column) => (
        <div key={t} class="tick">
          {labels.has(column) ? <span>{labels.get(column)}</span> : null}
        </div>
      ))}
    </div>
  );
}
