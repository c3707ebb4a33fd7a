import * as format from "../format";
import { type Curve, shareAt } from "../log-axis";
import type { Propagation as Page } from "../shapes";
import { propagation } from "../state";
import { windowText } from "../view";
import { Cdf } from "./Cdf";
import { Info } from "./Info";
import { ChartHead, Twin } from "./Twin";

function curveOf(page: Page, ratios: readonly number[]): Curve {
  return page.at_s.map((s, index) => [s * 1000, ratios[index] ?? 0] as const);
}

/** What a line of `k` of `n` mirrors is called. */
export function lineName(k: number, n: number): string {
  if (k === n) return n === 1 ? "the mirror" : `all ${n} mirrors`;
  return k === 1 ? "one mirror" : `${k} mirrors`;
}

/** One sentence: how long the half and nearly all operations need to reach one, and every mirror. */
export function propagationSummary(page: Page): string {
  const lines = page.by_mirrors;
  const [first, last] = [lines[0], lines.at(-1)];
  if (first === undefined || last === undefined)
    return "How operations spread cannot be told yet: none has reached its mirrors with known times.";
  const n = lines.length;
  const half = (line: (typeof lines)[number]) => format.duration(line.p50_ms);
  const never =
    last.never_ops === 0
      ? "every operation reached them all"
      : `${format.nOfN(last.never_ops, page.ops_used)} never reached them all`;
  const begin =
    n === 1
      ? `Half of the operations are at the mirror after ${half(last)}`
      : `Half of the operations are at one mirror after ${half(first)} and at all ${n} after ${half(last)}`;
  return `${begin}; ${never}.`;
}

/** What the curves rest on: all operations of the window, or every so many of them. */
export function basisText({ ops_used, ops_left_out, ops_in_window, sampled_every }: Page): string {
  const looked = ops_used + ops_left_out;
  const sample = sampled_every === 1 ? "" : ` (one in ${sampled_every} of ${format.count(ops_in_window)})`;
  return `Made of ${format.nOfN(ops_used, looked)} operations looked at${sample}: those whose times are known at all of these mirrors.`;
}

/** How operations spread: the share of them that one, two … all mirrors have, over the time since the primary's. */
export function Propagation() {
  const feed = propagation.value;
  const { page, error } = feed.state.value;
  const window = windowText(feed.topic.replace(/.*window=/, ""));
  const data = page?.data ?? null;
  const lines = data?.by_mirrors ?? [];
  const summary = data === null ? "" : propagationSummary(data);
  return (
    <section class="panel" aria-labelledby="propagation-title">
      <ChartHead
        id="propagation-title"
        json={feed.url}
        hint={`share of the operations that so many mirrors have, last ${window}`}
      >
        Propagation <Info about="propagation" label="propagation" />
      </ChartHead>
      {data === null || lines.length === 0 ? (
        <p class="hint chart-place">
          {error !== null
            ? `Could not be read (${error}); trying again.`
            : data === null
              ? "Asking…"
              : summary}
        </p>
      ) : (
        <>
          <Cdf
            lines={lines.map((line) => ({
              id: String(line.mirrors),
              curve: curveOf(data, line.op_ratio),
              slot: line.mirrors - 1,
            }))}
            summary={summary}
          />
          <ul class="cdf-legend">
            {lines.map((line) => (
              <li key={line.mirrors}>
                <svg
                  class="swatch"
                  viewBox="0 0 22 4"
                  width="22"
                  height="4"
                  aria-hidden="true"
                  focusable="false"
                >
                  <line
                    class={`series-${((line.mirrors - 1) % 6) + 1} dash-${Math.floor((line.mirrors - 1) / 6) % 4}`}
                    x1="0"
                    x2="22"
                    y1="2"
                    y2="2"
                  />
                </svg>{" "}
                {lineName(line.mirrors, lines.length)}
              </li>
            ))}
          </ul>
          <p class="summary" data-propagation={data.ops_used}>
            {summary} {basisText(data)}
            {data.left_out_mirrors.length === 0
              ? ""
              : ` Left out, for too little is known of their times: ${data.left_out_mirrors.map(({ id }) => format.visible(id)).join(", ")}.`}
          </p>
          <Twin
            caption="Share of operations by time and number of mirrors"
            head={["After", ...lines.map((line) => lineName(line.mirrors, lines.length))]}
            rows={() =>
              data.at_s.map((s) => [
                format.duration(s * 1000),
                ...lines.map((line) =>
                  format.percent(shareAt(curveOf(data, line.op_ratio), s * 1000), data.ops_used),
                ),
              ])
            }
          />
        </>
      )}
    </section>
  );
}
