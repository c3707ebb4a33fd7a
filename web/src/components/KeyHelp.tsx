import { useEffect, useRef } from "preact/hooks";
import { helpIsOpen, KEYS } from "../shortcuts";

/** Which keys there are; a dialog that the key ? opens and Escape closes. */
export function KeyHelp() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpIsOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby="help-title"
      onClose={() => {
        helpIsOpen.value = false;
      }}
    >
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {KEYS.map(({ keys, does }) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>←</kbd>
            <kbd>→</kbd>
            <kbd>↑</kbd>
            <kbd>↓</kbd>
          </dt>
          <dd>
            in the matrix: from cell to cell; <kbd>Home</kbd> <kbd>End</kbd> to the ends, <kbd>Enter</kbd> to
            the mirror
          </dd>
        </div>
      </dl>
      <p class="hint">
        Besides the pages of the bar there is what <a href="/nodes">nodes report</a> of themselves.
      </p>
      <form method="dialog">
        <button type="submit" class="button">
          Close
        </button>
      </form>
    </dialog>
  );
}
