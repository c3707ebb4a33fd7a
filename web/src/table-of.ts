/** The address of the same figures as a table. */
export function tableOf(json: string): string {
  const [path, query] = json.split("?");
  return query === undefined ? `${path}.csv` : `${path}.csv?${query}`;
}
