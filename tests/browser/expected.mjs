/**
 * What the overview must show for a given answer of the API. Written apart from the page's own formatting on purpose: a
 * mistake has to be made twice to go unseen.
 */

const NONE = { raw: "null", text: "—" };

function grouped(value) {
  return value.toLocaleString("en-US").replaceAll(",", " ");
}

function whole(value) {
  return value === null || value === undefined ? NONE : { raw: String(value), text: grouped(value) };
}

/** Counts that stand out carry their shape before the number. */
function marked(value, shape) {
  const plain = whole(value);
  return plain !== NONE && value > 0 ? { ...plain, text: `${shape} ${plain.text}` } : plain;
}

/** A ratio as per cent, rounded half up on its decimal digits: a binary neighbour of a tie must not decide. */
function halfUp(ratio, decimals) {
  const [whole, fraction = ""] = ratio.toFixed(12).split(".");
  const kept =
    BigInt(whole + fraction.slice(0, decimals + 2)) + (Number(fraction[decimals + 2]) >= 5 ? 1n : 0n);
  const digits = kept.toString().padStart(decimals + 1, "0");
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

function share(ratio, n) {
  if (ratio === null || ratio === undefined) return NONE;
  const decimals = n < 1 ? 0 : Math.max(0, Math.min(4, String(n).length - 3));
  let text = halfUp(ratio, decimals);
  if (ratio === 1) text = "100";
  else if (ratio === 0) text = "0";
  else if (Number(text) >= 100) text = (100 - 10 ** -decimals).toFixed(decimals);
  else if (Number(text) === 0) text = `< ${(10 ** -decimals).toFixed(decimals)}`;
  return { raw: String(ratio), text: `${text} %` };
}

function threeDigits(value) {
  const text = Number(value.toPrecision(3));
  const decimals = text >= 100 ? 0 : text >= 10 ? 1 : text >= 1 ? 2 : undefined;
  return decimals === undefined ? String(Number(text.toPrecision(3))) : text.toFixed(decimals);
}

function span(ms) {
  const size = Math.abs(ms);
  const sign = ms < 0 ? "−" : "";
  if (size === 0) return "0 ms";
  if (size < 0.9995) return `${sign}${Math.trunc(Number((size * 1000).toPrecision(3)))} µs`;
  if (size < 999.5) return `${sign}${threeDigits(size)} ms`;
  if (size < 59_950) return `${sign}${threeDigits(size / 1000)} s`;
  const seconds = Math.round(size / 1000);
  if (seconds < 3600) return sign + parts(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return sign + parts(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(minutes / 60);
  return sign + parts(Math.floor(hours / 24), "d", hours % 24, "h");
}

function parts(large, largeUnit, small, smallUnit) {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function time(ms) {
  return ms === null || ms === undefined ? NONE : { raw: String(ms), text: span(ms) };
}

function lag(ms, uncertainty, withUncertainty) {
  if (ms === null || ms === undefined) return NONE;
  const known = uncertainty !== null && uncertainty !== undefined;
  const text = known && Math.abs(ms) <= uncertainty ? "≈ 0" : span(ms);
  return { raw: String(ms), text: known && withUncertainty ? `${text} ± ${span(uncertainty)}` : text };
}

function perSecond(value) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return { raw: "0", text: "0" };
  return { raw: String(value), text: value >= 999.5 ? grouped(Math.round(value)) : rateDigits(value) };
}

function rateDigits(value) {
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Number(value.toPrecision(3))))));
}

function smallest(values) {
  return values.length === 0 ? undefined : values.reduce((a, b) => (b.key < a.key ? b : a));
}

/** The four figures above the table. */
export function expectedFigures({ mirrors, primary }) {
  const covered = mirrors
    .filter((m) => m.coverage.coverage_ratio !== null)
    .map((mirror) => ({ mirror, key: mirror.coverage.coverage_ratio }));
  const timed = mirrors
    .filter((m) => m.lag.p95_ms !== null)
    .map((mirror) => ({ mirror, key: -mirror.lag.p95_ms }));
  const worst = smallest(covered)?.mirror.coverage;
  const slow = smallest(timed)?.mirror.lag;
  const sum = (name) => mirrors.reduce((total, mirror) => total + (mirror.coverage.counts[name] ?? 0), 0);
  return {
    "worst-coverage": worst === undefined ? NONE : share(worst.coverage_ratio, worst.counts.decided),
    missed: sum("decided") === 0 ? NONE : whole(sum("missed")),
    "slowest-p95": slow === undefined ? NONE : time(slow.p95_ms),
    "primary-rate": perSecond(primary.rate_ops_per_s),
    "primary-received": whole(primary.received_ops),
  };
}

/** The figures of the primary's row. */
export function expectedPrimary({ completeness }) {
  return { "primary-complete": share(completeness.stream_ratio, completeness.known_ops) };
}

/** The figures of one mirror's row. */
export function expectedRow({ coverage, lag: lags, rtt, link, freshness }) {
  const head = freshness.head_lag_ops;
  const behind = whole(head);
  if (behind !== NONE) {
    behind.text =
      head === 0
        ? "0 ops"
        : `${behind.text} ops / ${freshness.head_age_s === null ? "—" : span(freshness.head_age_s * 1000)}`;
  }
  return {
    coverage: share(coverage.coverage_ratio, coverage.counts.decided ?? 0),
    missed: marked(coverage.counts.missed, "✕"),
    late: marked(coverage.counts.late, "▲"),
    extra: marked(coverage.counts.extra, "✚"),
    "head-lag-ops": behind,
    "lag-p50_ms": lag(lags.p50_ms, lags.uncertainty_ms, true),
    "lag-p95_ms": lag(lags.p95_ms, lags.uncertainty_ms, false),
    "lag-p99_ms": lag(lags.p99_ms, lags.uncertainty_ms, false),
    rtt: time(rtt.tcp_ms),
    connected: share(link.connected_ratio, 10_000),
  };
}
