import { render } from "preact";
import { App } from "./components/App";
import { startRouting } from "./route";
import { start } from "./state";
import { startTheme, toggleTheme } from "./theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/page.css";
import "./styles/mirrors.css";
import "./styles/matrix.css";
import "./styles/lag.css";
import "./styles/detail.css";
import "./styles/pages.css";
import "./styles/live.css";

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

const root = document.getElementById("app");
if (root !== null) {
  startTheme();
  startRouting();
  start();
  root.replaceChildren();
  render(<App />, root);
  addEventListener("keydown", (event) => {
    if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target))
      toggleTheme();
  });
}
