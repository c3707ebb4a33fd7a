/** What axe finds on a page, rule by rule. It is run by the browser's own console, which no policy holds back. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { check } from "./harness.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export async function accessible(page, name) {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: AXE });
  const { result } = await session.send("Runtime.evaluate", {
    expression:
      "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })" +
      ".then(({ violations, passes }) => JSON.stringify({ passes: passes.length, violations: " +
      "violations.map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(', ')) }))",
    awaitPromise: true,
    returnByValue: true,
  });
  const { passes, violations } = JSON.parse(result.value);
  check(
    passes > 5 && violations.length === 0,
    `${name}: axe finds nothing (${passes} rules) ${violations.join("; ")}`,
  );
}
