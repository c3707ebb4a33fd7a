/**
 * One answer of the API that is computed when it is asked for: fetched when its address changes and again every few seconds
 * while it is looked at. What is shown stays when a fetch fails; a failure keeps the server's own words.
 */
import { useEffect, useState } from "preact/hooks";
import { serverClock } from "./clock";
import type { Envelope } from "./shapes";

const TIMEOUT_MS = 10_000;

/** Why there is no answer, in the server's words where it gave some. */
export interface Failure {
  status: number | null;
  code: string;
  detail: string;
}

export interface Answer<T> {
  page: Envelope<T> | null;
  failure: Failure | null;
}

/** What a response that is not OK says. */
export async function failureOf(response: Response): Promise<Failure> {
  const fallback = { status: response.status, code: "http", detail: `HTTP ${response.status}` };
  try {
    const problem = (await response.json()) as { code?: unknown; detail?: unknown };
    return {
      status: response.status,
      code: typeof problem.code === "string" ? problem.code : fallback.code,
      detail: typeof problem.detail === "string" ? problem.detail : fallback.detail,
    };
  } catch {
    return fallback;
  }
}

export async function ask<T>(url: string, signal: AbortSignal): Promise<Answer<T>> {
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json" },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    serverClock.observe(Date.parse(response.headers.get("date") ?? ""), Date.now());
    if (!response.ok) return { page: null, failure: await failureOf(response) };
    return { page: (await response.json()) as Envelope<T>, failure: null };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { page: null, failure: { status: null, code: "network", detail } };
  }
}

/** A failure that another try will not mend: the answer is that there is none. */
export function isFinal(failure: Failure): boolean {
  return failure.status !== null && failure.status >= 400 && failure.status < 500 && failure.status !== 429;
}

interface Held<T> {
  url: string;
  answer: Answer<T>;
}

/** The answer at `url`, asked for again every `everyMs` while the document is visible. `again` grows to ask at once. */
export function useAnswer<T>(url: string, everyMs: number, again = 0): Answer<T> {
  const [held, hold] = useState<Held<T>>({ url, answer: { page: null, failure: null } });
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      if (document.visibilityState === "visible") {
        const answer = await ask<T>(url, leaving.signal);
        if (leaving.signal.aborted) return;
        hold((before) => {
          const kept = before.url === url && answer.failure !== null && !isFinal(answer.failure);
          return { url, answer: kept ? { ...before.answer, failure: answer.failure } : answer };
        });
      }
      timer = setTimeout(look, everyMs);
    };
    void look();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [url, everyMs, again]);
  return held.url === url ? held.answer : { page: null, failure: null };
}
