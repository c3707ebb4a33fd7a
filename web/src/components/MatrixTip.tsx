import { useLayoutEffect, useRef } from "preact/hooks";

export interface Tip {
  anchor: DOMRect;
  title: string;
  lines: string[];
}

const GAP_PX = 8;

/** The box beside a cell. It repeats the accessible name of the cell, so it is hidden from screen readers. */
export function MatrixTip({ tip }: { tip: Tip }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const { width, height } = element.getBoundingClientRect();
    const left = Math.min(
      Math.max(GAP_PX, tip.anchor.left + tip.anchor.width / 2 - width / 2),
      innerWidth - width - GAP_PX,
    );
    const above = tip.anchor.top - height - GAP_PX;
    // Single properties through the object model: the page's policy forbids style attributes.
    element.style.left = `${left}px`;
    element.style.top = `${above > GAP_PX ? above : tip.anchor.bottom + GAP_PX}px`;
  }, [tip]);
  return (
    <div class="tip" ref={box} aria-hidden="true">
      <b>{tip.title}</b>
      {tip.lines.map((line) => (
        <span key={line}>{line}</span>
      ))}
    </div>
  );
}
