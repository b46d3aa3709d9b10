// Cloudflare's HTTP API, as far as D1 needs it; Pagemark's own Worker speaks it, too.
import { httpFetch } from "../../core/index.ts";
import { checkGiven, checkText, PagemarkError, SourceError } from "../../errors/index.ts";
import { type Failed, failureOf, retried } from "./calls.ts";

/** Which D1 database is read over Cloudflare's HTTP API, and with which token. */
export interface D1ApiOptions {
  /** The account's id. */
  accountId: string;
  /** The database's name or UUID. */
  database: string;
  /** A token that may read D1, and write it for a restore. */
  apiToken: string;
  /** Where the API is; `https://api.cloudflare.com/client/v4` unless given. */
  baseUrl?: string | undefined;
  /** For how long one answer is waited for, in milliseconds; 60,000 unless given. */
  timeoutMs?: number | undefined;
}

interface Envelope {
  success?: boolean;
  result?: unknown;
  errors?: { code?: number; message?: string }[];
}

const CLOUDFLARE = "https://api.cloudflare.com/client/v4";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Cloudflare's codes for: no permission, not logged in. */
const DENIED = new Set([10_000, 10_001, 9_109, 9_106, 6_003]);
const NOT_FOUND = 7_404;
/** What the command line takes them from. */
const VARIABLES: Record<string, string> = {
  accountId: "CLOUDFLARE_ACCOUNT_ID",
  apiToken: "CLOUDFLARE_API_TOKEN",
  baseUrl: "CLOUDFLARE_API_BASE_URL",
};
/** A page of a listing. */
const PER_PAGE = 100;

/** One database of an account. */
export class D1Api {
  readonly name: string;
  readonly #options: D1ApiOptions;
  readonly #base: string;
  readonly #databases: string;
  #uuid: Promise<string> | undefined;

  constructor(options: D1ApiOptions) {
    const {
      accountId,
      database,
      apiToken,
      baseUrl = "",
    } = checkGiven(options, "{ accountId, database, apiToken }");
    for (const [name, value] of Object.entries({ accountId, database, apiToken, baseUrl }))
      checkText(value, name);
    const base = (options.baseUrl ?? CLOUDFLARE).replace(/\/+$/, "");
    // Each fails at every attempt, and with words that tell the token.
    if (!/^[\w-]+$/.test(accountId)) throw misspelled("accountId", "letters, digits, - and _, and no more");
    if (!/^[\x21-\x7e]+$/.test(apiToken))
      throw misspelled("apiToken", "of ASCII, without spaces and line ends");
    if (!/^https?:\/\//i.test(base) || !URL.canParse(base))
      throw misspelled("baseUrl", "an address, such as https://api.cloudflare.com/client/v4");
    this.name = options.database;
    this.#options = options;
    this.#base = base;
    this.#databases = `${base}/accounts/${accountId}/d1/database`;
  }

  /**
   * Sends `body` to what the database has under `path`; the answer's result.
   *
   * @throws Error {@link Failed}, or a SourceError for what no second try helps against
   */
  async post<T>(path: string, body: object, signal: AbortSignal | undefined): Promise<T> {
    const url = `${this.#databases}/${await this.#id(signal)}/${path}`;
    return (await this.#send(url, signal, JSON.stringify(body))) as T;
  }

  /** Gets a file for which no token is needed. */
  async download(url: string, signal: AbortSignal | undefined): Promise<ReadableStream<Uint8Array>> {
    try {
      const answer = await httpFetch(url, { signal });
      if (answer.ok && answer.body) return answer.body;
      await answer.body?.cancel();
      throw new Error(`the download was answered with status ${answer.status}`);
    } catch (error) {
      signal?.throwIfAborted();
      throw failureOf(this.name, error);
    }
  }

  /** The UUID, which is looked for once. */
  #id(signal: AbortSignal | undefined): Promise<string> {
    this.#uuid ??= this.#find(signal).catch((error) => {
      this.#uuid = undefined;
      throw error;
    });
    return this.#uuid;
  }

  async #find(signal: AbortSignal | undefined): Promise<string> {
    const { name } = this;
    if (UUID.test(name)) return name;
    let before: string | undefined;
    for (let page = 1; ; page++) {
      const query = new URLSearchParams({ name, per_page: String(PER_PAGE), page: String(page) });
      const url = `${this.#databases}?${query}`;
      const listed = (await retried(() => this.#send(url, signal), name, signal)) as {
        uuid: string;
        name: string;
      }[];
      const found = listed.find((each) => each.name === name);
      if (found) return found.uuid;
      // Whoever knows no pages gives the same one again.
      const isNext = listed.length > 0 && listed[0]?.uuid !== before;
      before = listed[0]?.uuid;
      if (isNext) continue;
      const message = `${name}: the account has no D1 database of that name`;
      throw new SourceError("SOURCE_MISSING", message, { name });
    }
  }

  async #send(url: string, signal: AbortSignal | undefined, body?: string): Promise<unknown> {
    const { apiToken, timeoutMs = 60_000 } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const headers = { authorization: `Bearer ${apiToken}`, "content-type": "application/json" };
    let answer: Response;
    let text: string;
    try {
      answer = await httpFetch(url, {
        headers,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        ...(body !== undefined && { method: "POST", body }),
      });
      text = await answer.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw failed(timeout.aborted ? `D1 did not answer for ${timeoutMs / 1000} s` : reasonOf(error), true);
    }
    const envelope = parsed(text);
    if (answer.ok && envelope?.success && envelope.result !== undefined) return envelope.result;
    throw this.#refusal(answer, envelope, text);
  }

  #refusal(answer: Response, envelope: Envelope | undefined, text: string): Error {
    const { name } = this;
    const { status } = answer;
    const errors = Array.isArray(envelope?.errors) ? envelope.errors : [];
    const codes = errors.map(({ code }) => Number(code));
    const said = errors.map(({ message }) => message).join("; ") || text.slice(0, 100).trim();
    if (status === 401 || status === 403 || codes.some((code) => DENIED.has(code))) {
      const message = `${name}: Cloudflare refused the token (${said || status}): it needs the permission D1 Read, and D1 Edit for a restore`;
      return new SourceError("SOURCE_DENIED", message, { name });
    }
    if (codes.includes(NOT_FOUND)) {
      return new SourceError("SOURCE_MISSING", `${name}: there is no such D1 database: ${said}`, { name });
    }
    if (status === 429) return failed(`too many requests: ${said}`, true, retryAfter(answer), true);
    if (status >= 500) return failed(`status ${status}: ${said}`, true);
    if (status === 404 || !envelope) {
      const { accountId } = this.#options;
      const message = `${name}: what answers at ${this.#base} knows no D1 databases of the account ${accountId} (status ${status}: ${said}); check the account's id, and CLOUDFLARE_API_BASE_URL if it is set`;
      return new SourceError("SOURCE_MISSING", message, { name });
    }
    return new Error(said || `status ${status}`);
  }
}

function misspelled(name: string, wanted: string): PagemarkError {
  return new PagemarkError("USAGE", `${name} (${VARIABLES[name]} in the environment) must be ${wanted}`);
}

/** Whether the server took no look at what it was asked for. */
export function wasTurnedAway(error: unknown): boolean {
  return (error as { turnedAway?: boolean }).turnedAway === true;
}

function failed(message: string, isPassing: boolean, retryAfterMs = 0, turnedAway = false): Failed {
  return Object.assign(new Error(message), { isPassing, retryAfterMs, turnedAway });
}

function parsed(text: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What `fetch` says by itself is that it failed. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

/** In milliseconds; the header has seconds, or a date. */
function retryAfter({ headers }: Response): number {
  const value = headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 310_000) : 0;
}
