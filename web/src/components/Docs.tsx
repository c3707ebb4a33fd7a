import { useEffect, useState } from "preact/hooks";
import type { DocsPage } from "./DocsPage";
import { Unanswered } from "./Unanswered";

type Loaded = typeof DocsPage;

/** The documents of the API, whose code is fetched when they are looked at: most readers never do. */
export function Docs({ view }: { view: "api" | "errors" }) {
  const [Page, set] = useState<Loaded | null>(null);
  const [detail, fail] = useState<string | null>(null);
  useEffect(() => {
    import("./DocsPage").then(
      (loaded) => set(() => loaded.DocsPage),
      (error: unknown) => fail(error instanceof Error ? error.message : String(error)),
    );
  }, []);
  if (Page !== null) return <Page key={view} view={view} />;
  return (
    <main data-page="docs-loading">
      <h1 tabIndex={-1}>The API</h1>
      <Unanswered
        what="the page"
        failure={detail === null ? null : { status: null, code: "network", detail }}
      />
    </main>
  );
}
