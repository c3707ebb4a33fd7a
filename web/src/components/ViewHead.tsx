/** The head of a view that shows one answer of the API: its title, and where the same stands for programs. */
export function ViewHead({ title, json, csv }: { title: string; json: string; csv?: string }) {
  return (
    <div class="verdict">
      <h1 tabIndex={-1}>{title}</h1>
      <p class="chips">
        {csv === undefined ? null : (
          <a class="json" href={csv} data-csv download>
            CSV
          </a>
        )}
        <a class="json" href={json}>
          JSON
        </a>
      </p>
    </div>
  );
}
