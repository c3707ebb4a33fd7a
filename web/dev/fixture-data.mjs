/**
 * Made-up pages of the API in their real shapes: a primary and five mirrors as `mirrorwatch demo` runs them, moving with
 * time. Numbers agree with each other (eligible is the sum of its parts), so that the page's sums can be checked.
 */

const RESOLUTION_S = 300;
const INTERVALS = 72;
const RATE = 20;

/** A repeatable random number in [0, 1) from whole numbers. */
function noise(...seeds) {
  let h = 2166136261;
  for (const seed of seeds) {
    h = Math.imul(h ^ (seed | 0), 16777619);
    h ^= h >>> 13;
  }
  h = Math.imul(h ^ (h >>> 16), 0x45d9f3b);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

const MIRRORS = [
  {
    id: "faithful",
    name: "faithful.sim",
    lag: 1.4,
    jitter: 0.5,
    miss: 0,
    late: 0,
    extra: 0,
    state: "ok",
    headline: null,
  },
  {
    id: "slow",
    name: "slow.sim",
    lag: 402,
    jitter: 60,
    miss: 0,
    late: 0.05,
    extra: 0,
    state: "lagging",
    headline: "5 % of its operations come after 12 s",
  },
  {
    id: "dropper",
    name: "dropper.sim",
    lag: 1.9,
    jitter: 0.8,
    miss: 0.01,
    late: 0,
    extra: 0,
    state: "losing",
    headline: "drops about 1 of 100 operations",
  },
  {
    id: "flapping",
    name: "flapping.sim",
    lag: 2.6,
    jitter: 1.1,
    miss: 0,
    late: 0,
    extra: 0,
    state: "ok",
    headline: null,
  },
  {
    id: "liar",
    name: "liar.sim",
    lag: 3.1,
    jitter: 1,
    miss: 0.0004,
    late: 0,
    extra: 0.004,
    state: "losing",
    headline: "invents and alters operations",
  },
];

function round(value, digits = 3) {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/** One interval of one mirror; `filled` is the part of the interval that is over. */
function bucket(mirror, index, k, filled, impaired) {
  const eligible = Math.round(RATE * RESOLUTION_S * filled * (0.92 + 0.16 * noise(k, 1)));
  const pending = filled < 1 ? Math.min(eligible, RATE * 10) : 0;
  let unknown = 0;
  if (mirror.id === "flapping" && noise(k, index, 9) < 0.06) unknown = Math.round(eligible * 0.3);
  if (impaired) unknown = Math.max(unknown, Math.round(eligible * 0.4));
  const decided = eligible - pending - unknown;
  const burst = mirror.miss > 0 && noise(k, index, 3) < 0.08 ? 6 : 0.4 + noise(k, index, 2);
  const missed = Math.round(decided * mirror.miss * burst);
  const late = Math.round(decided * mirror.late * (0.6 + noise(k, index, 4)));
  const extra = mirror.extra > 0 && noise(k, index, 5) < 0.3 ? Math.round(decided * mirror.extra) : 0;
  const lag = mirror.lag + mirror.jitter * (noise(k, index, 6) - 0.3);
  return { eligible, decided, pending, unknown, missed, late, extra, lag };
}

function wilson(good, n) {
  const z = 1.96;
  const p = good / n;
  const middle = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / (1 + (z * z) / n);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

function buckets(nowMs) {
  const last = Math.floor(nowMs / 1000 / RESOLUTION_S);
  return Array.from({ length: INTERVALS }, (_, i) => {
    const k = last - INTERVALS + 1 + i;
    const filled = k === last ? (nowMs / 1000 - k * RESOLUTION_S) / RESOLUTION_S : 1;
    const impaired = i === 23 || i === 24;
    const empty = i < 4;
    return {
      k,
      filled,
      impaired,
      empty,
      status: k === last ? "open" : k === last - 1 ? "settling" : "final",
    };
  });
}

function coverageOf(parts) {
  const sum = (key) => parts.reduce((total, part) => total + (part?.[key] ?? 0), 0);
  const counts = {
    eligible: sum("eligible"),
    decided: sum("decided"),
    on_time: 0,
    late: sum("late"),
    present: 0,
    missed: sum("missed"),
    pending: sum("pending"),
    unknown: sum("unknown"),
    withdrawn: 0,
    disputed: 0,
    not_eligible: 0,
    extra: sum("extra"),
    extra_pending: 0,
    extra_unknown: 0,
    early: 0,
    healed: Math.floor(sum("missed") / 9),
    credited: 0,
  };
  counts.on_time = counts.decided - counts.missed - counts.late;
  const n = counts.decided;
  if (n === 0) {
    return {
      coverage_ratio: null,
      coverage_ratio_reason: "no_data",
      low95_ratio: null,
      high95_ratio: null,
      timely_ratio: null,
      observed_ratio: null,
      did_coverage_ratio: null,
      counts,
      by_kind: {},
    };
  }
  const [low, high] = wilson(n - counts.missed, n);
  return {
    coverage_ratio: (n - counts.missed) / n,
    low95_ratio: low,
    high95_ratio: high,
    timely_ratio: counts.on_time / n,
    observed_ratio: n / (n + counts.unknown),
    did_coverage_ratio: null,
    counts,
    by_kind: {},
  };
}

function lagOf(mirror, second, known) {
  if (!known) {
    return {
      n: 0,
      p50_ms: null,
      p95_ms: null,
      p99_ms: null,
      uncertainty_ms: null,
      reasons: { p50_ms: "no_data", p95_ms: "no_data", p99_ms: "no_data" },
    };
  }
  const p50 = mirror.lag + 0.2 * mirror.jitter * noise(second, 7);
  const tail = mirror.late > 0 ? 12_300 + 200 * noise(second, 8) : p50 * 2.4;
  return {
    n: 71_400 + (second % 1000),
    p50_ms: round(p50),
    p95_ms: round(mirror.late > 0 ? tail * 0.98 : p50 * 1.8),
    p99_ms: round(tail),
    p999_ms: null,
    uncertainty_ms: 0.31,
    correction_ms: 0.04,
    reasons: { p999_ms: "low_n" },
  };
}

/** The pages at `nowMs`. `scenario`: demo, waiting (no operation yet), warming (none decided yet), impaired, empty (no mirrors). */
export function pages(nowMs, revision, scenario = "demo") {
  const second = Math.floor(nowMs / 1000);
  const young = scenario === "waiting" || scenario === "warming";
  const mirrors = scenario === "empty" ? [] : MIRRORS;
  const spans = buckets(nowMs);
  const columns = mirrors.map((mirror, index) =>
    spans.map((span) =>
      span.empty || young ? null : bucket(mirror, index, span.k, span.filled, span.impaired),
    ),
  );
  const meta = (interval, window) => ({
    generated_at: new Date(nowMs).toISOString(),
    snapshot_id: "fixture",
    revision,
    age_ms: 0,
    recompute_interval_s: interval,
    compute_ms: 0.4,
    window,
    method_version: "1",
  });
  const window = {
    from_at: new Date(spans[0].k * RESOLUTION_S * 1000).toISOString(),
    to_at: new Date(nowMs).toISOString(),
    status: "provisional",
  };
  const missed = columns.map((parts) => parts.reduce((total, part) => total + (part?.missed ?? 0), 0));
  const worst = missed.indexOf(Math.max(...missed));
  const headline =
    scenario === "empty"
      ? "No mirrors are configured."
      : scenario === "waiting"
        ? "Waiting for the first operation."
        : scenario === "warming"
          ? "Warming up: no operation is decided yet."
          : `${mirrors[worst].name} is missing ${missed[worst]} operations in the last 6 h.`;
  const overview = {
    headline,
    observer: {
      state: young ? "warming_up" : scenario === "impaired" ? "impaired" : "ok",
      flags: scenario === "impaired" ? ["primary_down"] : [],
      since_at: new Date(nowMs - 240_000).toISOString(),
    },
    primary: {
      id: "primary",
      name: "primary.sim",
      url: "ws://127.0.0.1:4001",
      link: { state: "synchronized", connected_ratio: 1 },
      rtt: { tcp_ms: 0.042, samples: 120 },
      rate_ops_per_s: young
        ? scenario === "waiting"
          ? null
          : 19.8
        : round(RATE + noise(second, 11) - 0.5, 2),
      received_ops:
        scenario === "waiting" ? 0 : scenario === "warming" ? 214 : 421_904 + (second % 100_000) * RATE,
    },
    mirrors: mirrors.map((mirror, index) => {
      const flapping = mirror.id === "flapping";
      const down = flapping && second % 45 < 6;
      return {
        id: mirror.id,
        name: mirror.name,
        url: `ws://127.0.0.1:${4002 + index}`,
        transport: "stream",
        link: {
          state: down ? "waiting" : "synchronized",
          since_at: null,
          connected_ratio: flapping ? 0.9312 : 1,
          last_error: null,
          last_close: null,
          reconnects: flapping ? 431 : 0,
        },
        coverage: coverageOf(columns[index]),
        lag: lagOf(mirror, second, !young),
        rtt: { tcp_ms: round(0.035 + 0.02 * noise(index, second)), samples: 120 },
        freshness:
          down || young
            ? { head_lag_ops: null, head_age_s: null, head_lag_ops_reason: young ? "no_data" : "link_down" }
            : {
                head_lag_ops: mirror.lag > 100 ? 8 + (second % 5) : 0,
                head_age_s: mirror.lag > 100 ? 0.41 : 0,
              },
        received_ops: 421_000,
        rejected_frames: mirror.id === "liar" ? 812 : 0,
        state: young ? "unknown" : down ? "disconnected" : mirror.state,
        headline: young ? null : mirror.headline,
      };
    }),
  };
  const column = (parts, key) => parts.map((part) => part?.[key] ?? null);
  const history = {
    resolution_s: RESOLUTION_S,
    t_unix_ms: spans.map((span) => span.k * RESOLUTION_S * 1000),
    primary: {
      ops: spans.map((span) =>
        span.empty || young
          ? null
          : Math.round(RATE * RESOLUTION_S * span.filled * (0.92 + 0.16 * noise(span.k, 1))),
      ),
    },
    impaired: spans.map((span) => span.impaired && !young),
    mirrors: mirrors.map((mirror, index) => ({
      id: mirror.id,
      ...Object.fromEntries(
        ["eligible", "decided", "missed", "late", "extra", "pending", "unknown"].map((key) => [
          key,
          column(columns[index], key),
        ]),
      ),
      coverage_ratio: columns[index].map((part) =>
        part === null || part.decided === 0 ? null : (part.decided - part.missed) / part.decided,
      ),
      lag_p50_ms: columns[index].map((part) =>
        part === null || part.unknown > part.eligible * 0.39 ? null : round(part.lag),
      ),
      lag_p95_ms: columns[index].map((part) => (part === null ? null : round(part.lag * 1.8))),
      status: spans.map((span) => (span.empty || young ? null : span.status)),
    })),
  };
  const links = { self: null, next: null, html: "/", methodology: "/api/v1/methodology" };
  return new Map([
    ["overview", { data: overview, meta: meta(1, window), links }],
    ["analytics/history?window=6h", { data: history, meta: meta(30, window), links }],
  ]);
}
