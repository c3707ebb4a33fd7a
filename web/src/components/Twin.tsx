import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { tableOf } from "../table-of";

interface Props {
  /** What the table is, for who cannot see where it stands. */
  caption: string;
  /** Names of the columns; the first is that of the rows. */
  head: readonly string[];
  /** The same data as the chart's. Made only when the table is opened. */
  rows: () => readonly (readonly string[])[];
}

/** The twin of a chart: the same as a table. */
export function Twin({ caption, head, rows }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <details class="twin" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>View as table</summary>
      {open ? <Table caption={caption} head={head} rows={rows} /> : null}
    </details>
  );
}

function Table({ caption, head, rows }: Props) {
  const cells = rows();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by key
    <section class="scroller tall" tabIndex={0} aria-label={caption}>
      <table class="plain">
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((name, index) => (
              <th key={name} scope="col" class={index === 0 ? undefined : "num"}>
                <bdi>{name}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {cells.map(([first, ...rest]) => (
            <tr key={first}>
              <th scope="row">{first}</th>
              {rest.map((cell, index) => (
                <td key={head[index + 1]} class="num">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps {
  id: string;
  /** Title with its ⓘ. */
  children: ComponentChildren;
  hint?: ComponentChildren;
  json: string;
}

/** The head of a chart: what it is, and where the same numbers are for programs. */
export function ChartHead({ id, children, hint, json }: HeadProps) {
  return (
    <div class="panel-head chart-head">
      <h2 id={id}>{children}</h2>
      {hint === undefined ? null : <span class="hint">{hint}</span>}
      <span class="formats">
        <a class="json" href={tableOf(json)} data-csv download>
          CSV
        </a>
        <a class="json" href={json}>
          JSON
        </a>
      </span>
    </div>
  );
}
