import type { ComponentChildren } from "preact";
import { DASH } from "../format";
import { useMark } from "../marks";
import { reasonOf } from "../shapes";
import { reasonText } from "../words";

interface Props {
  /** Where the number comes from: its holder and name there, so that a null can give its reason. */
  of: object;
  name: string;
  /** The formatted number; shown when the value is there. */
  children: ComponentChildren;
  figure?: string | undefined;
  title?: string | undefined;
}

/** A number of the API, or an em-dash with the reason. `data-*` carry the raw value, for checks and for scripts. */
export function Value({ of, name, children, figure, title }: Props) {
  const value = new Map<string, unknown>(Object.entries(of)).get(name) ?? null;
  const mark = useMark(value);
  if (value === null) {
    const reason = reasonText(reasonOf(of, name));
    return (
      <span class="null" title={reason} data-figure={figure} data-value="null">
        <span aria-hidden="true">{DASH}</span>
        <span class="visually-hidden">{reason}</span>
      </span>
    );
  }
  return (
    <span class={mark} title={title} data-figure={figure} data-value={String(value)}>
      {children}
    </span>
  );
}
