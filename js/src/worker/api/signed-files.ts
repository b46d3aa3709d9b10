import { type Context, Hono } from "hono";
import type { Env } from "../databases.ts";
import type { JobFile } from "../jobs/exports.ts";
import { registry } from "../registry.ts";
import type { ApiContext } from "./access.ts";
import { serveFile, storeFile } from "./files.ts";
import { isSigned, signUrl, urlKey, VALID_MS } from "./signed-url.ts";

/** Files in the bucket, for who has a signed URL. */
export const signedFiles = new Hono<ApiContext>();

const FILES = "/files/";
/** The database that a file is uploaded for, and the file's MD5, or another number. */
const UPLOAD = /^imports\/([0-9a-f-]{36})\.([0-9a-f]{16,32})\.sql$/;

signedFiles.on(["GET", "HEAD"], `${FILES}exports/:name`, async (c) => {
  return (await isAllowed(c)) ? serveFile(c.env.BACKUPS, keyIn(c), c.req.raw) : refused();
});

signedFiles.put(`${FILES}imports/:name`, async (c) => {
  if (!(await isAllowed(c))) return refused();
  const key = keyIn(c);
  const [, uuid = "", hex = ""] = UPLOAD.exec(key) ?? [];
  const isThere = async () => (await registry(c.env).find(uuid)) !== null;
  if (!(await isThere())) return deleted();
  const answer = await storeFile(c.env.BACKUPS, key, c.req.raw, hex.length === 32 ? hex : undefined);
  // Who deletes a database deletes what was uploaded for it before, not what arrives meanwhile.
  if (await isThere()) return answer;
  await c.env.BACKUPS.delete(key);
  return deleted();
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
  return plain(403, "This link is invalid or has expired; links are valid for one hour.");
}

function deleted(): Response {
  return plain(404, "The database that this file is for has been deleted; nothing was kept of the file.");
}

function plain(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
  });
}
