import * as format from "../format";
import type { Noticed } from "../shapes";
import { findingText, findingWord } from "../words";
import { At, OpLink } from "./Ids";
import { Shape } from "./Shape";

/** What was wrong with content or order: each kind is explained once, with its operations under it. */
export function Findings({ findings }: { findings: readonly Noticed[] }) {
  if (findings.length === 0) return null;
  const kinds = [...new Set(findings.map((found) => found.finding))];
  return (
    <section class="panel" aria-labelledby="findings-title">
      <div class="panel-head">
        <h2 id="findings-title">Content and order</h2>
        <span class="hint">the latest of each kind</span>
      </div>
      <ul class="probes" data-findings={findings.length}>
        {kinds.map((kind) => (
          <li key={kind}>
            <Shape state={{ tone: "diverged", shape: "◆", word: findingWord(kind), rank: 1 }} />{" "}
            <span class="hint">{findingText(kind)}</span>
            <ol class="found">
              {findings
                .filter((found) => found.finding === kind)
                .map((found) => (
                  <li key={`${found.host} ${found.cid} ${found.at}`}>
                    <OpLink did={found.did} cid={found.cid} />{" "}
                    <span class="sub-inline">
                      <bdi>{format.visible(found.host)}</bdi> at <At at={found.at} /> {format.zoneWord()}
                    </span>
                  </li>
                ))}
            </ol>
          </li>
        ))}
      </ul>
    </section>
  );
}
