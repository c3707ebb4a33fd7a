import { route } from "../route";
import { helpIsOpen } from "../shortcuts";
import { live } from "../state";
import { theme, toggleTheme } from "../theme";
import { custom, customIsOpen, toggleZone, zone } from "../view";
import { lazily } from "./lazily";
import { RangePicker } from "./RangePicker";
import { SearchBox } from "./SearchBox";

const VIEWS = [
  ["overview", "/", "Overview"],
  ["misses", "/misses", "Misses"],
  ["compare", "/compare", "Compare"],
  ["incidents", "/incidents", "Incidents"],
  ["events", "/events", "Events"],
  ["live", "/live", "Live"],
] as const;
/** Views whose figures follow the range. */
const RANGED: ReadonlySet<string> = new Set(["overview", "mirror"]);
const CustomRange = lazily(() => import("./CustomRange").then((m) => m.CustomRange));
const LIVE_WORDS = { live: "live", connecting: "connecting", reconnecting: "polling" } as const;

export function TopBar() {
  const isRanged = RANGED.has(route.value.page);
  return (
    <>
      <Bar isRanged={isRanged} />
      {isRanged && (customIsOpen.value || custom.value !== null) ? <CustomRange /> : null}
    </>
  );
}

function Bar({ isRanged }: { isRanged: boolean }) {
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
      {isRanged ? <RangePicker /> : null}
      <SearchBox />
      <span class={`livechip ${status}`} data-live={status}>
        <span aria-hidden="true">{status === "live" ? "▶" : "○"}</span> {LIVE_WORDS[status]}
      </span>
      <button
        type="button"
        class="theme"
        onClick={toggleZone}
        title="Times in UTC or in this browser's own zone (u)"
        aria-keyshortcuts="u"
        data-zone={zone.value}
      >
        {zone.value === "UTC" ? "UTC" : "Local"}
      </button>
      <button
        type="button"
        class="theme"
        onClick={toggleTheme}
        title="Light or dark (t)"
        aria-keyshortcuts="t"
      >
        {theme.value === "dark" ? "Light" : "Dark"}
      </button>
      <button
        type="button"
        class="theme key-help"
        onClick={() => {
          helpIsOpen.value = true;
        }}
        title="Keys (?)"
        aria-label="Keys"
        aria-keyshortcuts="?"
      >
        ?
      </button>
    </header>
  );
}
