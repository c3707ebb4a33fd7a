import { useMemo } from "preact/hooks";
import { lagLines } from "../lag-series";
import type { History, Num } from "../shapes";
import { asked } from "../view";
import { LagChart } from "./LagChart";

interface Props {
  history: History;
  names: ReadonlyMap<string, string>;
  noiseMs: Num;
}

/** Lag of all mirrors, from the history of the range. */
export function OverviewLag({ history, names, noiseMs }: Props) {
  const of = useMemo(
    () => ({ times: history.t_unix_ms, resolutionS: history.resolution_s, impaired: history.impaired }),
    [history],
  );
  const lines = useMemo(() => lagLines(history, names), [history, names]);
  const address = `/api/v1/analytics/history`;
  return <LagChart of={of} lines={lines} noiseMs={noiseMs} json={`${address}?${asked.value}`} />;
}
