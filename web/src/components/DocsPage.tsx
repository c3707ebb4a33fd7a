import { useEffect, useState } from "preact/hooks";
import { type Failure, useAnswer } from "../answer";
import {
  type Answer,
  address,
  answerOf,
  choices,
  codes,
  curl,
  type Endpoint,
  endpoints,
  type Hosts,
  isLive,
  members,
  type OpenApi,
  type Parameter,
  PROBLEM,
  problems,
  type Schema,
  words,
} from "../openapi";
import { overview } from "../state";
import { Unanswered } from "./Unanswered";
import { ViewHead } from "./ViewHead";
import "../styles/docs.css";

const URL_OF = "/api/v1/openapi.json";
const EVERY_MS = 600_000;
/** How deep the members of answers are shown; what lies deeper opens where it is first. */
const DEPTH_MAX = 6;

/** Every address of the API with what it takes and answers, made of the document that programs read. */
export function DocsPage({ view }: { view: "api" | "errors" }) {
  const { page, failure } = useAnswer<unknown>(URL_OF, EVERY_MS);
  const document = page as OpenApi | null;
  return (
    <main data-page="docs">
      <ViewHead title={view === "api" ? "The API" : "Problems of the API"} json={URL_OF} />
      {document === null ? <Missing failure={failure} /> : <Body document={document} view={view} />}
    </main>
  );
}

function Missing({ failure }: { failure: Failure | null }) {
  return <Unanswered what="the document" failure={failure} />;
}

function Body({ document, view }: { document: OpenApi; view: "api" | "errors" }) {
  useEffect(() => {
    // The entries come after the page: what the address names is only now there to be gone to.
    const named = globalThis.document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (named instanceof HTMLDetailsElement) named.open = true;
    named?.scrollIntoView();
  }, []);
  return view === "api" ? <Api document={document} /> : <Problems document={document} />;
}

/** Text with `code` in it. */
function Prose({ text }: { text: string }) {
  // Every second part stood between two marks; parts have no name of their own but their place.
  const parts = text.split("`").map((part, at) => ({ part, at }));
  return <>{parts.map(({ part, at }) => (at % 2 === 1 ? <code key={at}>{part}</code> : part))}</>;
}

function hosts(): Hosts {
  const data = overview.state.value.page?.data;
  return { primary: data?.primary.id ?? "primary", mirror: data?.mirrors[0]?.id ?? "mirror" };
}

function Api({ document }: { document: OpenApi }) {
  const all = endpoints(document);
  return (
    <>
      {document.info.description.split("\n\n").map((text) => (
        <p class="summary" key={text}>
          <Prose text={text} />
        </p>
      ))}
      <nav class="docs-groups" aria-label="Groups of addresses">
        {document.tags.map(({ name }) => (
          <a key={name} href={`#group-${name}`}>
            {name}
          </a>
        ))}
        <a href="/docs/errors">problems</a>
      </nav>
      {document.tags.map(({ name, description }) => (
        <section class="panel" key={name} id={`group-${name}`} aria-labelledby={`title-${name}`}>
          <div class="panel-head">
            <h2 id={`title-${name}`}>{name}</h2>
            <span class="hint">{description}</span>
          </div>
          {all
            .filter(({ operation }) => operation.tags.includes(name))
            .map((endpoint) => (
              <Entry key={endpoint.operation.operationId} document={document} endpoint={endpoint} />
            ))}
        </section>
      ))}
    </>
  );
}

/** One address: a line, and what it takes and answers when it is opened. */
function Entry({ document, endpoint }: { document: OpenApi; endpoint: Endpoint }) {
  const { path, method, operation } = endpoint;
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      class="endpoint"
      id={operation.operationId}
      data-endpoint={`${method} ${path}`}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span class="method">{method.toUpperCase()}</span> <code>{path}</code>{" "}
        <span class="what">{operation.summary}</span>
      </summary>
      {isOpen ? <Opened document={document} endpoint={endpoint} /> : null}
    </details>
  );
}

function Opened({ document, endpoint }: { document: OpenApi; endpoint: Endpoint }) {
  const { operation } = endpoint;
  const [at, command] = [
    address(document, endpoint, hosts()),
    curl(document, endpoint, hosts(), location.origin),
  ];
  const good = Object.entries(operation.responses).filter(([status]) => status < "400");
  const bad = Object.entries(operation.responses).filter(([status]) => status >= "400");
  return (
    <div class="endpoint-body">
      {operation.description === undefined ? null : (
        <p>
          <Prose text={operation.description} />
        </p>
      )}
      {command === null ? null : (
        <p>
          <code class="command">{command}</code>
        </p>
      )}
      {isLive(endpoint) ? (
        <p>
          <a href={at}>{at}</a>
        </p>
      ) : null}
      {operation.parameters === undefined ? null : (
        <Parameters document={document} parameters={operation.parameters} />
      )}
      {good.map(([status, answer]) => (
        <Good key={status} status={status} answer={answer} document={document} />
      ))}
      <h3>Problems</h3>
      <ul class="codes">
        {bad.map(([status, answer]) => (
          <li key={status}>
            <b>{status}</b>{" "}
            {codes(answerOf(document, answer)).map((code) => (
              <a key={code} href={`/docs/errors#${code}`}>
                {code}
              </a>
            ))}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Parameters({ document, parameters }: { document: OpenApi; parameters: Parameter[] }) {
  return (
    <>
      <h3>Parameters</h3>
      <dl class="members">
        {parameters.map(({ name, in: place, description, required, schema }) => (
          <div key={name}>
            <dt>
              <code>{name}</code> <span class="hint">{required ? `${place}, needed` : place}</span>
            </dt>
            <dd>
              <Prose text={description} /> <Allowed document={document} schema={schema} />
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

/** What a value may be. */
function Allowed({ document, schema }: { document: OpenApi; schema: Schema }) {
  const listed = choices(document, schema);
  const [low, high] = [schema.minimum, schema.maximum];
  const range = high === undefined ? "" : ` ${low ?? 0}–${high}`;
  const unless = schema.default === undefined ? "" : `; ${schema.default} unless said`;
  return (
    <span class="hint">
      {listed.length === 0
        ? `${words(schema)}${range}`
        : listed.map((word) => <code key={word}>{word} </code>)}
      {unless}
    </span>
  );
}

function Good({ document, status, answer }: { document: OpenApi; status: string; answer: Answer }) {
  const content = Object.entries(answer.content ?? {}).filter(([media]) => media !== PROBLEM);
  return (
    <>
      <h3>
        {status} <span class="hint">{answer.description.replaceAll("`", "")}</span>
      </h3>
      {content.map(([media, { schema }]) => (
        <div key={media}>
          <p class="hint">
            <code>{media}</code>
          </p>
          <Members document={document} schema={schema} depth={0} />
        </div>
      ))}
    </>
  );
}

function Members({ document, schema, depth }: { document: OpenApi; schema: Schema; depth: number }) {
  const all = members(document, schema);
  if (all.length === 0) return null;
  return (
    <dl class="members">
      {all.map(([name, member, isAlways]) => (
        <div key={name}>
          <dt>
            <code>{name}</code> <span class="hint">{words(member)}</span>
          </dt>
          <dd>
            <Prose text={described(member)} />
            {isAlways ? null : <span class="hint"> Not always there.</span>}
            <Deeper document={document} schema={member} name={name} depth={depth} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** What is said of a member: of its own, or of what it may be besides null. */
function described(schema: Schema): string {
  return schema.description ?? schema.oneOf?.find((one) => one.description !== undefined)?.description ?? "";
}

/** The members of a member, which are drawn when they are opened. */
function Deeper({
  document,
  schema,
  name,
  depth,
}: {
  document: OpenApi;
  schema: Schema;
  name: string;
  depth: number;
}) {
  const [isOpen, setOpen] = useState(false);
  const listed = choices(document, schema);
  if (listed.length > 0) return <Allowed document={document} schema={schema} />;
  if (depth >= DEPTH_MAX || members(document, schema).length === 0) return null;
  return (
    <details class="deeper" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>members of {name}</summary>
      {isOpen ? <Members document={document} schema={schema} depth={depth + 1} /> : null}
    </details>
  );
}

/** Every code that a problem may have: where the `type` of a problem leads. */
function Problems({ document }: { document: OpenApi }) {
  return (
    <>
      <p class="summary">
        An error is <code>{PROBLEM}</code> (RFC 9457): <code>detail</code> says what was wrong with the
        request, <code>allowed</code> what may stand there, <code>request_id</code> names the answer in the
        server's log.
        <a href="/docs"> All addresses</a>
      </p>
      <section class="panel" aria-label="Codes">
        <dl class="formulas">
          {[...problems(document)].map(([code, { statuses, paths }]) => (
            <div key={code} id={code} data-code={code}>
              <dt>
                <a href={`/docs/errors#${code}`}>{code}</a>
              </dt>
              <dd>
                {[...statuses].join(", ")}
                <span class="sub">{paths.size === 0 ? "Any address" : [...paths].join(" · ")}</span>
              </dd>
            </div>
          ))}
        </dl>
      </section>
    </>
  );
}
