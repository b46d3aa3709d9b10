import { httpFetch } from "../../core/index.ts";
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkGiven, checkOptions, checkText } from "../../errors/options.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { type Body, consume } from "../../streams/body.ts";
import { emptyStream } from "../../streams/streams.ts";
import { beginsKey, byteRange, checkKey, checkPart, checkRange, checkTime, pageLimit } from "../checks.ts";
import { guarded } from "../guarded.ts";
import { BrokenAnswer, Calls, type Doing, type Patience } from "../object-calls.ts";
import { Parts } from "../object-parts.ts";
import { streamObject } from "../object-read.ts";
import type {
  GetOptions,
  ListOptions,
  ListPage,
  PutOptions,
  Store,
  StoredObject,
  StoreUploads,
  UploadState,
} from "../store.ts";
import { HttpRefusal, httpFailures, isStatus } from "./errors.ts";

/** How {@link http} reaches a Worker. */
export interface HttpOptions {
  /** The Worker's `PAGEMARK_TOKEN`; its `PAGEMARK_READ_TOKEN` where nothing is written. */
  token: string;
  patience?: Partial<Patience>;
}

/** As a Worker has it, in bytes. */
const PART = 5 * 1024 * 1024;
const PATIENCE: Patience = { attempts: 5, delay: 200, timeout: 60_000 };

/**
 * A store in the bucket of a Pagemark Worker, wherever this runs: `http("https://pagemark.example.workers.dev/store/laptop", { token })`.
 * The Worker makes a store of any name at its first put.
 *
 * A call that fails for a moment is tried again, five times in all unless `patience` says otherwise.
 *
 * @throws PagemarkError `USAGE` when the URL is none of a store
 */
export function http(url: string, options: HttpOptions): Store {
  checkText(url, "url");
  const { token, patience } = checkGiven(options, "{ token }");
  return guarded(new HttpStore(baseOf(url), token, { ...PATIENCE, ...patience }));
}

interface Remote {
  base: string;
  token: string;
}

class HttpStore implements Store {
  readonly givesChunksAway = true;
  readonly layout = "bucket";
  readonly description: string;
  readonly uploads: StoreUploads;
  readonly #calls: Calls<Remote>;

  constructor(base: string, token: string, patience: Patience) {
    this.description = base;
    this.#calls = new Calls({ base, token }, patience, httpFailures(base));
    this.uploads = new HttpUploads(this.#calls);
  }

  async put(key: string, body: Body, options: PutOptions = {}) {
    const { signal } = checkOptions(options);
    await consume(body, signal, async (chunks) => {
      checkKey(key);
      checkTime(options);
      if (await this.head(key, { signal })) throw new ObjectExistsError(key); // before the body is read
      const parts = new Parts(chunks, PART);
      let state = await start(this.#calls, key, options);
      try {
        let part = await parts.next();
        for (; part.length === PART; part = await parts.next())
          state = await append(this.#calls, state, part, signal);
        signal?.throwIfAborted();
        await finish(this.#calls, state, part);
        signal?.throwIfAborted();
      } catch (error) {
        // Where another has the key, nothing of this one is left but parts, which are swept.
        await abort(this.#calls, state).catch(() => {});
        throw error;
      }
    });
  }

  async get(key: string, options: GetOptions = {}) {
    checkKey(key);
    const { offset, length } = checkRange(options);
    const { signal } = options;
    signal?.throwIfAborted();
    const last = Number.isFinite(length) ? Math.min(offset + length - 1, Number.MAX_SAFE_INTEGER) : "";
    const headers: Record<string, string> =
      offset === 0 && last === "" ? {} : { range: `bytes=${offset}-${last}` };
    const answer = await this.#call("read", key, signal, async (remote, stop) => {
      if (length === 0 || offset > 1e15) return undefined;
      try {
        const response = await send(remote, "GET", key, { headers, signal: stop });
        return { response, found: foundIn(key, response, offset) };
      } catch (error) {
        if (isStatus(error, 416)) return undefined;
        throw isMissing(error) ? new ObjectMissingError(key) : error;
      }
    });
    if (answer === undefined) {
      if (!(await this.head(key, { signal }))) throw new ObjectMissingError(key);
      return emptyStream();
    }
    const { response, found } = answer;
    const { start, end } = byteRange(found.size, { offset, length });
    if (start === end || response.body === null) {
      response.body?.cancel().catch(() => {});
      return emptyStream();
    }
    const tag = response.headers.get("etag") ?? "";
    const reopen = (at: number) => this.#reopen(key, tag, at, end);
    return streamObject(this.#calls, response.body, { key, start, end, signal, reopen });
  }

  async head(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    return this.#call("read", key, options.signal, async (remote, signal) => {
      try {
        return foundIn(key, await send(remote, "HEAD", key, { signal }), 0);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const limit = pageLimit(prefix, options);
    const { cursor, signal } = options;
    signal?.throwIfAborted();
    if (!beginsKey(prefix)) return { objects: [] };
    const query = { prefix, limit: String(limit), ...(cursor !== undefined && { cursor }) };
    return this.#call("list", prefix, signal, async (remote, stop) => {
      const page = await (await send(remote, "GET", "", { query, signal: stop })).json();
      return pageIn(page);
    });
  }

  async delete(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkKey(key);
    await this.#call("delete", key, options.signal, (remote, signal) =>
      done(remote, "DELETE", key, { signal }),
    );
  }

  #call<T>(
    doing: Doing,
    key: string,
    signal: AbortSignal | undefined,
    attempt: (remote: Remote, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.#calls.run({ doing, key, signal }, attempt);
  }

  async #reopen(key: string, tag: string, at: number, end: number) {
    const stop = new AbortController();
    try {
      const headers = { range: `bytes=${at}-${end - 1}`, "if-match": tag };
      const response = await send(this.#calls.bucket, "GET", key, { headers, signal: stop.signal });
      foundIn(key, response, at);
      if (response.body === null) throw new BrokenAnswer("the answer has no body");
      return response.body;
    } catch (error) {
      stop.abort(error);
      if (!isStatus(error, 412) && !isMissing(error)) throw error;
      const message = `${JSON.stringify(key)} was deleted or replaced while it was read; verify the backups`;
      throw new StoreError("STORE_IO", message, { name: key, offset: at }, { cause: error });
    }
  }
}

/** Puts objects part by part: each step is the Worker's, and any process may make the next. */
class HttpUploads implements StoreUploads {
  readonly partSize = PART;
  readonly #calls: Calls<Remote>;

  constructor(calls: Calls<Remote>) {
    this.#calls = calls;
  }

  async start(key: string, options: Pick<PutOptions, "modified"> = {}): Promise<UploadState> {
    checkKey(key);
    checkTime(options);
    return start(this.#calls, key, options);
  }

  async append(state: UploadState, part: Uint8Array, options: { signal?: AbortSignal | undefined } = {}) {
    checkPart(part, PART, false);
    return append(this.#calls, state, part, options.signal);
  }

  async finish(state: UploadState, rest: Uint8Array): Promise<void> {
    checkPart(rest, PART, true);
    await finish(this.#calls, state, rest);
  }

  abort(state: UploadState): Promise<void> {
    return abort(this.#calls, state);
  }
}

/** The Worker's own state, and the key by which this store knows the object. */
interface State extends UploadState {
  readonly remote: UploadState;
}

async function start(
  calls: Calls<Remote>,
  key: string,
  { modified }: Pick<PutOptions, "modified">,
): Promise<State> {
  const query = { step: "start", ...(modified && { modified: String(modified.getTime()) }) };
  return calls.run({ doing: "write", key }, async (remote, signal) =>
    stateIn(key, await send(remote, "POST", key, { query, signal })),
  );
}

async function append(
  calls: Calls<Remote>,
  state: UploadState,
  part: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<State> {
  const { key } = state;
  const body = bodyOf(state as State, part);
  return calls.run({ doing: "write", key, size: part.length, signal }, async (remote, stop) =>
    stateIn(key, await send(remote, "POST", key, { query: { step: "append" }, body, signal: stop })),
  );
}

async function finish(calls: Calls<Remote>, state: UploadState, rest: Uint8Array): Promise<void> {
  const { key, size } = state;
  const body = bodyOf(state as State, rest);
  // The Worker moves all of it once more.
  await calls.run({ doing: "write", key, size: size + rest.length }, (remote, signal) =>
    done(remote, "POST", key, { query: { step: "finish" }, body, signal }),
  );
}

async function abort(calls: Calls<Remote>, state: UploadState): Promise<void> {
  const { key } = state;
  const body = bodyOf(state as State, new Uint8Array());
  await calls.run({ doing: "delete", key }, (remote, signal) =>
    done(remote, "POST", key, { query: { step: "abort" }, body, signal }),
  );
}

/** A state's length, the state, and bytes of a part. */
function bodyOf({ remote }: State, part: Uint8Array): Uint8Array {
  const state = new TextEncoder().encode(JSON.stringify(remote));
  const body = new Uint8Array(4 + state.length + part.length);
  new DataView(body.buffer).setUint32(0, state.length);
  body.set(state, 4);
  body.set(part, 4 + state.length);
  return body;
}

async function stateIn(key: string, response: Response): Promise<State> {
  const { state, partSize } = (await response.json()) as { state?: UploadState; partSize?: number };
  if (typeof state?.size !== "number" || partSize !== PART)
    throw new BrokenAnswer("the answer has no state of an upload");
  return { key, size: state.size, remote: state };
}

function pageIn(page: unknown): ListPage {
  const { objects, cursor } = page as {
    objects?: { key: string; size: number; modified: number }[];
    cursor?: string;
  };
  if (!Array.isArray(objects)) throw new BrokenAnswer("the answer has no objects");
  const found = objects.map(
    ({ key, size, modified }): StoredObject => ({ key, size, modified: new Date(modified) }),
  );
  return { objects: found, ...(cursor !== undefined && { cursor }) };
}

interface Sent {
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Uint8Array;
  signal: AbortSignal;
}

/** Makes a request whose answer does not matter. @throws HttpRefusal */
async function done(remote: Remote, method: string, key: string, sent: Sent): Promise<void> {
  await (await send(remote, method, key, sent)).arrayBuffer();
}

/** The answer, whose body must be read or canceled. @throws HttpRefusal */
async function send({ base, token }: Remote, method: string, key: string, sent: Sent): Promise<Response> {
  const { query = {}, headers = {}, body, signal } = sent;
  const path = key === "" ? "" : `/${key.split("/").map(encodeURIComponent).join("/")}`;
  const search = new URLSearchParams(query).toString();
  const response = await httpFetch(`${base}${path}${search === "" ? "" : `?${search}`}`, {
    method,
    headers: { ...headers, authorization: `Bearer ${token}`, "accept-encoding": "identity" },
    signal,
    ...(body && { body }),
  });
  if (response.ok) return response;
  response.body?.cancel().catch(() => {});
  throw new HttpRefusal(response.status, response.headers);
}

function foundIn(key: string, { status, headers }: Response, offset: number): StoredObject {
  const [, from = "0", size = headers.get("content-length")] =
    /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  const modified = Number(headers.get("x-pagemark-modified") ?? Number.NaN);
  if (size === null || Number.isNaN(modified) || (status === 206 && Number(from) !== offset))
    throw new BrokenAnswer("the answer is not a store's");
  if (status !== 206 && offset > 0)
    throw new BrokenAnswer("the answer is not of the range that was asked for");
  return { key, size: Number(size), modified: new Date(modified) };
}

function isMissing(error: unknown): boolean {
  return error instanceof HttpRefusal && error.code === "OBJECT_MISSING";
}

function baseOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (
    parsed &&
    /^https?:$/.test(parsed.protocol) &&
    parsed.search === "" &&
    parsed.username === "" &&
    parsed.hash === ""
  )
    return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
  const message =
    "a store's URL is a Pagemark Worker's and /store/ and a name, without a user and parameters";
  throw new PagemarkError("USAGE", message);
}
