import { render } from "preact";
import { App } from "./components/App";
import { startRouting } from "./route";
import { startShortcuts } from "./shortcuts";
import { start } from "./state";
import { startTheme } from "./theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/page.css";
import "./styles/mirrors.css";
import "./styles/matrix.css";
import "./styles/lag.css";
import "./styles/detail.css";
import "./styles/pages.css";
import "./styles/live.css";
import "./styles/controls.css";
import "./styles/charts.css";
import "./styles/print.css";

const root = document.getElementById("app");
if (root !== null) {
  startTheme();
  startRouting();
  start();
  root.replaceChildren();
  render(<App />, root);
  startShortcuts();
}
