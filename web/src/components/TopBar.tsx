import { route } from "../route";
import { live } from "../state";
import { theme, toggleTheme } from "../theme";

const VIEWS = [
  ["overview", "/", "Overview"],
  ["misses", "/misses", "Misses"],
  ["compare", "/compare", "Compare"],
  ["events", "/events", "Events"],
  ["live", "/live", "Live"],
] as const;
const LIVE_WORDS = { live: "live", connecting: "connecting", reconnecting: "polling" } as const;

export function TopBar() {
  const { status } = live.connection.value;
  return (
    <header class="topbar">
      <a class="wordmark" href="/">
        <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true" focusable="false">
          <rect x="0" y="1" width="4" height="6" />
          <rect x="6" y="1" width="4" height="6" />
          <rect x="12" y="1" width="4" height="6" />
          <rect x="0" y="9" width="4" height="6" />
          <rect x="6" y="9" width="4" height="6" class="faint" />
          <rect x="12" y="9" width="4" height="6" />
        </svg>
        mirrorwatch
      </a>
      <nav class="views" aria-label="Views">
        {VIEWS.map(([page, href, name]) => (
          <a key={page} href={href} aria-current={route.value.page === page ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <span class="scope">did:plc mirrors · last 6 h · times in UTC</span>
      <span class={`livechip ${status}`} data-live={status}>
        <span aria-hidden="true">{status === "live" ? "▶" : "○"}</span> {LIVE_WORDS[status]}
      </span>
      <button
        type="button"
        class="theme"
        onClick={toggleTheme}
        title="Light or dark (t)"
        aria-keyshortcuts="t"
      >
        {theme.value === "dark" ? "Light" : "Dark"}
      </button>
    </header>
  );
}
