import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

interface Options {
  /** What stands there until it has come; nothing where its place is not known. */
  class?: string;
  /** Whether it is the main part of the document, whose heading takes the focus when somebody has gone there. */
  isView?: boolean;
}

/** A component whose code is fetched when it is first shown: views and charts that not every reader looks at. */
export function lazily<P extends object>(
  load: () => Promise<ComponentType<P>>,
  { class: name = "waiting", isView = false }: Options = {},
): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [View, show] = useState(() => loaded);
    const [failed, fail] = useState(false);
    useEffect(() => {
      if (View !== null) return;
      load().then(
        (made) => {
          loaded = made;
          show(() => made);
        },
        () => fail(true),
      );
    }, []);
    useEffect(() => {
      if (View !== null && isView && document.activeElement === document.body && history.state !== null)
        document.querySelector<HTMLElement>("main h1")?.focus();
    }, [View]);
    if (View !== null) return <View {...props} />;
    const text = failed ? <Failed /> : <p>Loading…</p>;
    return isView ? <main class={name}>{text}</main> : <div class={name}>{text}</div>;
  };
}

/** A server that was brought up to date serves other files than this document knows. */
function Failed() {
  return (
    <p class="banner amber" role="alert">
      <span aria-hidden="true">▲ </span>This part of the page could not be loaded; the server may have been
      updated.{" "}
      <button type="button" class="button" onClick={() => location.reload()}>
        Load the page again
      </button>
    </p>
  );
}
