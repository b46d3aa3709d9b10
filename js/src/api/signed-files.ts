import { type Context, Hono } from "hono";
import type { JobFile } from "../service/jobs/exports.ts";
import type { Databases, Service } from "../service/service.ts";
import type { ApiContext } from "./access.ts";
import { serveFile, storeFile } from "./files.ts";
import { isSigned, signUrl, urlKey, VALID_MS } from "./signed-url.ts";

/** Files of exports and imports, for who has a signed URL. */
export const signedFiles = new Hono<ApiContext>();

const FILES = "/files/";
/** The database that a file is uploaded for, and the file's MD5, or another number. */
const UPLOAD = /^imports\/([0-9a-f-]{36})\.([0-9a-f]{16,32})\.sql$/;

signedFiles.on(["GET", "HEAD"], `${FILES}exports/:name`, async (c) => {
  return (await isAllowed(c)) ? serveFile(c.env.files, keyIn(c), c.req.raw) : refused();
});

signedFiles.put(`${FILES}imports/:name`, async (c) => {
  if (!(await isAllowed(c))) return refused();
  const key = keyIn(c);
  const [, uuid = "", hex = ""] = UPLOAD.exec(key) ?? [];
  const isThere = async () => (await c.env.databases.find(uuid)) !== null;
  if (!(await isThere())) return deleted();
  const answer = await storeFile(c.env.files, key, c.req.raw, hex.length === 32 ? hex : undefined);
  // Who deletes a database deletes what was uploaded for it before, not what arrives meanwhile.
  if (await isThere()) return answer;
  await c.env.files.delete(key);
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

const keys = new WeakMap<Databases, Promise<CryptoKey>>();

/** The secret as a key, asked for once. */
function keyOf({ databases }: Service): Promise<CryptoKey> {
  const known = keys.get(databases);
  if (known !== undefined) return known;
  const key = databases.secret().then(urlKey);
  keys.set(databases, key);
  key.catch(() => keys.delete(databases));
  return key;
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
