import { type Context, Hono } from "hono";
import { type Env, registry } from "../env.ts";
import type { JobFile } from "../jobs/index.ts";
import { serveFile, storeFile } from "../signed-file.ts";
import { isSigned, signUrl, urlKey, VALID_MS } from "../signed-url.ts";
import type { ApiContext } from "./auth.ts";

/** Files in the bucket, for who has a signed URL. */
export const signedFiles = new Hono<ApiContext>();

const FILES = "/files/";

signedFiles.on(["GET", "HEAD"], `${FILES}exports/:name`, async (c) => {
  return (await isAllowed(c)) ? serveFile(c.env.BACKUPS, keyIn(c), c.req.raw) : refused();
});

signedFiles.put(`${FILES}imports/:name`, async (c) => {
  if (!(await isAllowed(c))) return refused();
  const key = keyIn(c);
  const md5 = /\.([0-9a-f]{32})\.sql$/.exec(key)?.[1];
  return storeFile(c.env.BACKUPS, key, c.req.raw, md5);
});

/** The URL that opens a file for an hour. */
export async function urlOf(
  c: Context<ApiContext>,
  method: "GET" | "PUT",
  { key }: JobFile,
): Promise<string> {
  const url = new URL(`${FILES}${key}`, c.req.url);
  return (await signUrl(await keyOf(c.env), method, url, Date.now() + VALID_MS)).href;
}

async function isAllowed(c: Context<ApiContext>): Promise<boolean> {
  return isSigned(await keyOf(c.env), c.req.method, new URL(c.req.url), Date.now());
}

/** Keys have no characters that are written otherwise in a path. */
function keyIn(c: Context<ApiContext>): string {
  return new URL(c.req.url).pathname.slice(FILES.length);
}

let signing: Promise<CryptoKey> | undefined;

/** The registry's secret as a key, asked for once in an isolate. */
function keyOf(env: Env): Promise<CryptoKey> {
  signing ??= Promise.resolve(registry(env).secret())
    .then(urlKey)
    .catch((error) => {
      signing = undefined;
      throw error;
    });
  return signing;
}

function refused(): Response {
  return new Response("The link is not valid, or not any more: it is for one hour.\n", {
    status: 403,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}
