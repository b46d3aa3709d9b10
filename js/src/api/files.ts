// Files over HTTP: whole, in ranges, and uploads.
import type { Context } from "hono";
import type { PagemarkError } from "../errors/index.ts";
import { parseRange, spanOf } from "../service/byte-range.ts";
import type { Download, JobFiles } from "../service/service.ts";
import { ofLength } from "../streams/streams.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".sql": "application/sql; charset=utf-8",
  ".sqlite3": "application/vnd.sqlite3",
};

/** A file, or the range of it that was asked for. */
export function fileAnswer(c: Context, { filename, size, span, body }: Download): Response {
  const headers = new Headers({
    "content-type": TYPES[filename.slice(filename.lastIndexOf("."))] ?? "application/octet-stream",
    "content-disposition": disposition(filename),
    "cache-control": "private, no-store",
    "x-content-type-options": "nosniff",
  });
  if (c.req.method === "HEAD") body.cancel().catch(() => {});
  if (size === undefined) return new Response(c.req.method === "HEAD" ? null : body, { headers });
  headers.set("accept-ranges", "bytes");
  const { offset, length } = span ?? { offset: 0, length: size };
  if (span) headers.set("content-range", `bytes ${offset}-${offset + length - 1}/${size}`);
  headers.set("content-length", String(length));
  const status = span ? 206 : 200;
  if (c.req.method === "HEAD") return new Response(null, { status, headers });
  return new Response(ofLength(body, length), { status, headers });
}

/** RFC 6266: for old clients in ASCII, for others as it is. */
function disposition(filename: string): string {
  const plain = filename.replace(/[^\w.-]/g, "_");
  const encoded = encodeURIComponent(filename).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** Answers GET and HEAD of a file: whole or a range, and 304 to who has it. */
export async function serveFile(files: JobFiles, key: string, request: Request): Promise<Response> {
  const found = await files.find(key);
  if (!found) return plain(404, "There is no such file any more: exports are there for an hour.");
  const { size, etag } = found;
  const tag = `"${etag}"`;
  const headers = new Headers({
    "accept-ranges": "bytes",
    // Who keeps it would outlive the link.
    "cache-control": "private, no-store",
    "x-content-type-options": "nosniff",
    etag: tag,
    ...found.headers,
  });
  if (hasTag(request.headers.get("if-none-match"), tag)) return new Response(null, { status: 304, headers });
  const ifRange = request.headers.get("if-range");
  const range = ifRange === null || ifRange === tag ? parseRange(request.headers.get("range")) : undefined;
  const span = range && spanOf(range, size);
  if (range && !span) {
    headers.set("content-range", `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  const { offset, length } = span ?? { offset: 0, length: size };
  headers.set("content-length", String(length));
  if (span) headers.set("content-range", `bytes ${offset}-${offset + length - 1}/${size}`);
  const status = span ? 206 : 200;
  if (request.method === "HEAD" || size === 0) return new Response(null, { status, headers });
  // Only what was looked at: the file may have been replaced since.
  const body = await files.read(key, etag, span);
  if (!body) return plain(409, "The file has just changed; try again.");
  return new Response(body, { status, headers });
}

/** Stores what is sent. An MD5 that is known is proved. Answers exactly 200, with the MD5 as its tag, as R2 does. */
export async function storeFile(
  files: JobFiles,
  key: string,
  request: Request,
  md5: string | undefined,
): Promise<Response> {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  if (!request.body || !Number.isSafeInteger(length)) {
    // Nothing is stored of unknown length, and an empty file is nothing to import.
    return length === 0 ? plain(400, "The file is empty.") : plain(411, "Send a Content-Length.");
  }
  if (length > MOST_BYTES) return plain(413, "The file is larger than 5 GB; import it in several files.");
  try {
    const etag = await files.put(key, request.body, length, md5);
    return new Response(null, { status: 200, headers: { etag: `"${etag}"` } });
  } catch (error) {
    const { code, message } = error as PagemarkError;
    if (code === "IMPORT_UPLOAD") return plain(400, message);
    throw error;
  }
}

/** The most that R2 takes in one put, less a little, in bytes. */
const MOST_BYTES = 5_000_000_000;

function hasTag(header: string | null, tag: string): boolean {
  return (
    header?.split(",").some((each) => each.trim() === "*" || each.trim().replace(/^W\//, "") === tag) ?? false
  );
}

function plain(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
