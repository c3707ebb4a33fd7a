/** The head of a view that shows one answer of the API: its title, and where the same stands as JSON. */
export function ViewHead({ title, json }: { title: string; json: string }) {
  return (
    <div class="verdict">
      <h1 tabIndex={-1}>{title}</h1>
      <p class="chips">
        <a class="json" href={json}>
          JSON
        </a>
      </p>
    </div>
  );
}
