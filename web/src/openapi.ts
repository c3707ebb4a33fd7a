/** The API's own document (OpenAPI 3.1) as far as the page reads it: its addresses by groups, and what their answers hold. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  format?: string;
  pattern?: string;
  enum?: string[];
  default?: string | number;
  minimum?: number;
  maximum?: number;
  example?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  required?: string[];
  allOf?: Schema[];
  oneOf?: Schema[];
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  description: string;
  required?: boolean;
  example?: string;
  schema: Schema;
}

export interface Answer {
  $ref?: string;
  description: string;
  headers?: Record<string, unknown>;
  content?: Record<string, { schema: Schema }>;
}

export interface Operation {
  tags: string[];
  operationId: string;
  summary: string;
  description?: string;
  parameters?: Parameter[];
  responses: Record<string, Answer>;
}

export interface OpenApi {
  info: { title: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Partial<Record<"get" | "post", Operation>>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, Answer> };
}

/** One address and method. */
export interface Endpoint {
  path: string;
  method: "get" | "post";
  operation: Operation;
}

/** What stands for hosts in examples: those that are really there. */
export interface Hosts {
  primary: string;
  mirror: string;
}

export const PROBLEM = "application/problem+json";

export function endpoints(document: OpenApi): Endpoint[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    (["get", "post"] as const).flatMap((method) => {
      const operation = methods[method];
      return operation === undefined ? [] : [{ path, method, operation }];
    }),
  );
}

/** What a reference leads to, or the thing itself. */
export function resolved(document: OpenApi, schema: Schema): Schema {
  const name = schema.$ref?.split("/").at(-1);
  const found = name === undefined ? undefined : document.components.schemas[name];
  return found === undefined
    ? schema
    : { ...found, description: schema.description ?? found.description ?? "" };
}

/** The schema that a value has when it is not `null`. */
export function bare(schema: Schema): Schema {
  const real = schema.oneOf?.filter((one) => one.type !== "null") ?? [];
  return real.length === 1 && real[0] !== undefined ? real[0] : schema;
}

export function isNullable(schema: Schema): boolean {
  const may = (one: Schema) => one.type === "null" || (Array.isArray(one.type) && one.type.includes("null"));
  return may(schema) || (schema.oneOf?.some(may) ?? false);
}

/** A type in words, as `list of Op, or null`. */
export function words(schema: Schema): string {
  const orNull = isNullable(schema) ? ", or null" : "";
  const one = bare(schema);
  if (one.$ref !== undefined) return (one.$ref.split("/").at(-1) ?? "") + orNull;
  if (one.oneOf !== undefined) return one.oneOf.map(words).join(" or ");
  const type = [one.type ?? "any"].flat().filter((name) => name !== "null")[0] ?? "any";
  if (type === "array") return `list of ${words(one.items ?? {})}${orNull}`;
  if (one.additionalProperties !== undefined) return `${words(one.additionalProperties)} by name${orNull}`;
  return (one.format === "date-time" ? "instant" : type) + orNull;
}

/** The members of what a schema describes, whatever it is wrapped in: name, schema, and whether it is always there. */
export function members(document: OpenApi, schema: Schema): [string, Schema, boolean][] {
  const one = resolved(document, bare(schema));
  if (one.allOf !== undefined) return one.allOf.flatMap((part) => members(document, part));
  if (one.oneOf !== undefined) return one.oneOf.flatMap((part) => members(document, part));
  if (one.items !== undefined) return members(document, one.items);
  if (one.additionalProperties !== undefined) return members(document, one.additionalProperties);
  return Object.entries(one.properties ?? {}).map(([name, member]) => [
    name,
    member,
    one.required?.includes(name) ?? false,
  ]);
}

/** The closed list of words of a schema. */
export function choices(document: OpenApi, schema: Schema): string[] {
  const one = resolved(document, bare(schema));
  return one.enum ?? (one.items === undefined ? [] : choices(document, one.items));
}

export function answerOf(document: OpenApi, answer: Answer): Answer {
  const name = answer.$ref?.split("/").at(-1);
  return (name === undefined ? undefined : document.components.responses[name]) ?? answer;
}

/** The codes of the problem that an answer is. */
export function codes(answer: Answer): string[] {
  const parts = answer.content?.[PROBLEM]?.schema.allOf ?? [];
  return parts.flatMap((part) => part.properties?.code?.enum ?? []);
}

/** Every code with its statuses and the addresses that may answer it. */
export function problems(document: OpenApi): Map<string, { statuses: Set<string>; paths: Set<string> }> {
  const all = new Map<string, { statuses: Set<string>; paths: Set<string> }>();
  const add = (status: string, code: string, path: string | null) => {
    const entry = all.get(code) ?? { statuses: new Set(), paths: new Set() };
    entry.statuses.add(status);
    if (path !== null) entry.paths.add(path);
    all.set(code, entry);
  };
  for (const { path, operation } of endpoints(document))
    for (const [status, answer] of Object.entries(operation.responses))
      if (answer.$ref === undefined) for (const code of codes(answer)) add(status, code, path);
  for (const [name, answer] of Object.entries(document.components.responses)) {
    const users = endpoints(document).flatMap(({ operation }) => Object.entries(operation.responses));
    const status = users.find(([, used]) => used.$ref?.endsWith(`/${name}`))?.[0] ?? "405";
    for (const code of codes(answer)) add(status, code, null);
  }
  return new Map([...all].sort(([a], [b]) => a.localeCompare(b)));
}

/** A value that may stand in the place of a parameter. */
function sample(document: OpenApi, parameter: Parameter, hosts: Hosts): string {
  const schema = resolved(document, parameter.schema);
  if (parameter.name === "id" || parameter.name === "b" || parameter.name === "mirror") return hosts.mirror;
  if (parameter.name === "a") return hosts.primary;
  return String(parameter.example ?? schema.example ?? schema.default ?? schema.enum?.[0] ?? "…");
}

/** The address with every parameter that it needs, and the first of those that it may have. */
export function address(document: OpenApi, { path, operation }: Endpoint, hosts: Hosts): string {
  const parameters = operation.parameters ?? [];
  const inPath = parameters.filter((one) => one.in === "path");
  const filled = inPath.reduce(
    (text, one) => text.replace(`{${one.name}}`, encodeURI(sample(document, one, hosts))),
    path,
  );
  const inQuery = parameters.filter((one) => one.in === "query");
  const shown = inQuery.filter((one) => one.required || one.name === "window" || one.name === "topics");
  const query = shown.map((one) => `${one.name}=${sample(document, one, hosts)}`).join("&");
  return query === "" ? filled : `${filled}?${query}`;
}

/** The command that asks for it; none where it takes a WebSocket. */
export function curl(document: OpenApi, endpoint: Endpoint, hosts: Hosts, origin: string): string | null {
  if (endpoint.operation.responses["101"] !== undefined) return null;
  const url = `'${origin}${address(document, endpoint, hosts)}'`;
  if (endpoint.method === "post")
    return `curl -s -X POST -H 'X-Requested-By: me' -H 'Authorization: Bearer TOKEN' ${url}`;
  const isStream = endpoint.operation.responses["200"]?.content?.["text/event-stream"] !== undefined;
  return `curl ${isStream ? "-N" : "-s"} ${url}`;
}

/** Whether the address may be opened as it is filled in: it is read, ends, and names nothing that may not be there. */
export function isLive({ path, method, operation }: Endpoint): boolean {
  const isDid = path.includes("{did}");
  const answer = operation.responses["200"]?.content;
  return method === "get" && !isDid && answer !== undefined && answer["text/event-stream"] === undefined;
}
