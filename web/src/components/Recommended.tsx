/** The mark of the mirror to use now; why it is, is one answer of the API. */
export function Recommended() {
  return (
    <a
      class="recommended"
      href="/api/v1/best"
      title="The mirror to use now to read the stream: well, and the quickest to answer. Why: /api/v1/best"
    >
      <span aria-hidden="true">★ </span>recommended
    </a>
  );
}
