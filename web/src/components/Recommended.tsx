/** The mark of the mirror to use now; why it is, is one answer of the API. */
export function Recommended() {
  return (
    <a
      class="recommended"
      href="/api/v1/best"
      title="The mirror to use now: the best by state, coverage and lag. Why: /api/v1/best"
    >
      <span aria-hidden="true">★ </span>recommended
    </a>
  );
}
