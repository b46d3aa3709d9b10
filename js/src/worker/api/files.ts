// Files as answers, whole or in ranges.
import type { Context } from "hono";
import type { Download } from "../database/downloads.ts";

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
  // Says the length, and fails when the body has another one.
  const { readable, writable } = new FixedLengthStream(length);
  body.pipeTo(writable as WritableStream<Uint8Array>).catch(() => {});
  return new Response(readable as ReadableStream<Uint8Array>, { status, headers });
}

/** RFC 6266: for old clients in ASCII, for others as it is. */
function disposition(filename: string): string {
  const plain = filename.replace(/[^\w.-]/g, "_");
  const encoded = encodeURIComponent(filename).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
