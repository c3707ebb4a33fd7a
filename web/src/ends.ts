/** Labels at the ends of lines: each as near to its line as the others let it be. */

/** Places for labels that want to be at `wanted` (null: anywhere), `gap` apart, between 0 and `height`; order is kept. */
export function spread(wanted: readonly (number | null)[], gap: number, height: number): number[] {
  const order = wanted
    .map((y, index) => ({ y: y ?? height, index }))
    .sort((a, b) => a.y - b.y || a.index - b.index);
  let floor = 0;
  for (const label of order) {
    label.y = Math.max(label.y, floor);
    floor = label.y + gap;
  }
  // What was pushed out at the bottom goes up again, and pushes those above it.
  let ceiling = height;
  for (const label of order.toReversed()) {
    label.y = Math.max(0, Math.min(label.y, ceiling));
    ceiling = label.y - gap;
  }
  const places = new Array<number>(wanted.length).fill(0);
  for (const { y, index } of order) places[index] = y;
  return places;
}
