// Stores for programs elsewhere: what `http(url, { token })` calls. Each call may come again.
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { PagemarkError } from "../errors/index.ts";
import { parseRange, spanOf } from "../service/byte-range.ts";
import type { StoredObject, UploadState } from "../stores/store.ts";
import { ofLength } from "../streams/streams.ts";
import { type ApiContext, adminOnly, authenticate } from "./access.ts";
import { ApiError } from "./envelope.ts";

/** Objects for who has a token: `/store/<name>/<key>`. */
export const stores = new Hono<ApiContext>();

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
/** Most bytes of a request beside its part: the state of an upload of 1,023 parts has some 50,000. */
const MOST_STATE = 256 * 1024;

// Pages of any origin may call: what they may do is in the token that they send, and a browser adds none by itself.
stores.use(
  "/store/*",
  cors({
    origin: "*",
    allowMethods: ["GET", "HEAD", "POST", "DELETE"],
    allowHeaders: ["authorization", "if-match", "range"],
    exposeHeaders: ["content-range", "etag", "retry-after", "x-pagemark-code", "x-pagemark-modified"],
    maxAge: 86_400,
  }),
  authenticate,
);

stores.get("/store/:name", async (c) => {
  const { store, prefix } = placeOf(c);
  const { prefix: wanted = "", cursor, limit } = c.req.query();
  return answered(c, async () => {
    const page = await store.list(prefix + wanted, {
      ...(cursor !== undefined && { cursor: prefix + cursor }),
      ...(limit !== undefined && { limit: Number(limit) }),
    });
    const objects = page.objects.map((each) => shown(each, prefix));
    return c.json({
      objects,
      ...(page.cursor !== undefined && { cursor: page.cursor.slice(prefix.length) }),
    });
  });
});

stores.on(["GET", "HEAD"], "/store/:name/:key{.+}", async (c) => {
  const { store, key } = placeOf(c);
  return answered(c, async () => {
    const found = await store.head(key);
    if (found === undefined) return refusedAs(c, 404, "OBJECT_MISSING", "there is no such object");
    const tag = `"${found.size}-${found.modified.getTime()}"`;
    const headers = new Headers({
      "accept-ranges": "bytes",
      "cache-control": "private, no-store",
      "content-type": "application/octet-stream",
      "last-modified": found.modified.toUTCString(),
      "x-pagemark-modified": String(found.modified.getTime()),
      etag: tag,
    });
    const range = parseRange(c.req.header("range"));
    const span = range && spanOf(range, found.size);
    if (c.req.header("if-match") !== undefined && c.req.header("if-match") !== tag)
      return refusedAs(c, 412, "OBJECT_MISSING", "the object is another");
    if (range && !span) {
      headers.set("content-range", `bytes */${found.size}`);
      return new Response(null, { status: 416, headers });
    }
    const { offset, length } = span ?? { offset: 0, length: found.size };
    headers.set("content-length", String(length));
    if (span) headers.set("content-range", `bytes ${offset}-${offset + length - 1}/${found.size}`);
    const status = span ? 206 : 200;
    if (c.req.method === "HEAD" || length === 0) return new Response(null, { status, headers });
    const body = await store.get(key, { offset, length });
    return new Response(ofLength(body, length), { status, headers });
  });
});

stores.delete("/store/:name/:key{.+}", adminOnly, async (c) => {
  const { store, key } = placeOf(c);
  return answered(c, async () => {
    await store.delete(key);
    return new Response(null, { status: 204 });
  });
});

/** The steps of an upload. A body is a state's length (four bytes, big-endian), the state as JSON, and the bytes of a part. */
stores.post("/store/:name/:key{.+}", adminOnly, async (c) => {
  const { uploads, key } = placeOf(c);
  const { step, modified } = c.req.query();
  return answered(c, async () => {
    if (step === "start") {
      const state = await uploads.start(
        key,
        modified === undefined ? {} : { modified: new Date(Number(modified)) },
      );
      return c.json({ partSize: uploads.partSize, state });
    }
    const { state, part } = await bodyOf(c, uploads.partSize, key);
    if (step === "append")
      return c.json({ partSize: uploads.partSize, state: await uploads.append(state, part) });
    if (step === "finish") await uploads.finish(state, part);
    else if (step === "abort") await uploads.abort(state);
    else throw new ApiError(400, 7400, "step must be start, append, finish or abort");
    return new Response(null, { status: 204 });
  });
});

function placeOf(c: Context<ApiContext>) {
  const { name = "", key = "" } = c.req.param() as { name?: string; key?: string };
  if (!NAME.test(name))
    throw new ApiError(400, 7400, "a store's name has letters, digits, - and _, at most 64");
  // No database's folder: those are UUIDs.
  const prefix = `%stores/${name}/`;
  const store = c.env.objects;
  if (!store) throw new ApiError(404, 7003, "no objects are kept here for programs elsewhere");
  return { store, uploads: store.uploads, prefix, key: prefix + key };
}

async function bodyOf(
  c: Context<ApiContext>,
  partSize: number,
  key: string,
): Promise<{ state: UploadState; part: Uint8Array }> {
  const length = Number(c.req.header("content-length") ?? Number.NaN);
  if (!(length >= 4 && length <= partSize + MOST_STATE))
    throw new ApiError(413, 7400, "the part is too large");
  const body = new Uint8Array(await c.req.arrayBuffer());
  const end = 4 + new DataView(body.buffer).getUint32(0);
  const state = readState(body.subarray(4, end));
  // A state is as the store gave it; that it is of this object is all that matters here.
  if (state?.key !== key || !/^\.pagemark\/tmp\/[\w-]{36}~$/.test(String(state.temporary)))
    throw new ApiError(400, 7400, "that is no state of an upload of this object");
  return { state, part: body.slice(end) };
}

function readState(bytes: Uint8Array): UploadState | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

const STATUS: Readonly<Record<string, 400 | 404 | 410 | 412 | 507>> = {
  OBJECT_EXISTS: 412,
  OBJECT_MISSING: 404,
  STORE_KEY: 400,
  STORE_UPLOAD: 410,
  STORE_FULL: 507,
};

/** An answer, or a refusal by which the client makes the same error. */
async function answered(c: Context<ApiContext>, work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RangeError) return refusedAs(c, 400, "RANGE", error.message);
    if (!(error instanceof PagemarkError)) throw error;
    return refusedAs(c, STATUS[error.code] ?? 503, error.code, error.message);
  }
}

function refusedAs(
  c: Context<ApiContext>,
  status: 400 | 404 | 410 | 412 | 503 | 507,
  code: string,
  message: string,
): Response {
  c.header("x-pagemark-code", code);
  return c.json({ error: { code, message } }, status);
}

function shown({ key, size, modified }: StoredObject, prefix: string) {
  return { key: key.slice(prefix.length), size, modified: modified.getTime() };
}
