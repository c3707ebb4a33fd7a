import * as format from "../format";
import type { Noticed } from "../shapes";
import { findingText, findingWord } from "../words";
import { At, OpLink } from "./Ids";
import { Shape } from "./Shape";

/** What was wrong with content or order, one a line. */
export function Findings({ findings }: { findings: readonly Noticed[] }) {
  if (findings.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="findings-title">
      <div class="panel-head">
        <h2 id="findings-title">Content and order</h2>
        <span class="hint">the latest of each kind</span>
      </div>
      <ul class="probes" data-findings={findings.length}>
        {findings.map((found) => (
          <li key={`${found.host} ${found.finding} ${found.cid} ${found.at}`}>
            <Shape state={{ tone: "diverged", shape: "◆", word: findingWord(found.finding), rank: 1 }} />{" "}
            <b>{format.visible(found.host)}</b> at <At at={found.at} /> UTC:{" "}
            <OpLink did={found.did} cid={found.cid} />
            <span class="sub">{findingText(found.finding)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
