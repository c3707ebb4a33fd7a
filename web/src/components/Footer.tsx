import type { Meta } from "../shapes";

const LINKS = [
  ["overview", "/api/v1/overview"],
  ["coverage", "/api/v1/analytics/coverage?window=6h"],
  ["lag", "/api/v1/analytics/lag?window=1h"],
  ["misses", "/api/v1/analytics/misses?window=6h"],
  ["history", "/api/v1/analytics/history?window=6h"],
  ["divergence", "/api/v1/analytics/divergence"],
  ["methodology", "/api/v1/methodology"],
  ["internals", "/api/v1/internals"],
] as const;

export function Footer({ meta }: { meta: Meta | null }) {
  return (
    <footer class="footer">
      <nav aria-label="The same numbers as JSON">
        JSON:{" "}
        {LINKS.map(([name, href]) => (
          <a key={name} href={href}>
            {name}
          </a>
        ))}
      </nav>
      <nav aria-label="About these numbers">
        About: <a href="/readiness">which mirrors can be used</a>{" "}
        <a href="/vantages">what other observers see</a> <a href="/methodology">how the numbers are made</a>{" "}
        <a href="/internals">the observer itself</a> <a href="/docs">the API</a>
      </nav>
      <p>
        Unknown is a verdict of its own: no mirror is blamed for what this observer or the primary did.
        {meta?.method_version ? ` Method ${meta.method_version}.` : ""}
      </p>
    </footer>
  );
}
