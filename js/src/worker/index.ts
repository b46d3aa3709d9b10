/// <reference types="@cloudflare/workers-types" />
import { memory, PagemarkError, readTables, type Table } from "../entry/workerd.ts";

/** What is in a database that was sent. */
interface Inspection {
  pageSize: number;
  pageCount: number;
  tables: Table[];
}

/** A database larger than this does not fit into an isolate beside the work. */
const MOST_BYTES = 64 << 20;

/**
 * The Pagemark Worker. Today it looks into a SQLite database that is sent to it, without SQLite: `POST /inspect`
 * answers its tables with their rows, so that a backup can be checked where it lies. `GET /healthz` says that it runs.
 */
export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz" && request.method === "GET") return Response.json({ ok: true });
    if (pathname !== "/inspect") return failure(404, "NOT_FOUND", "POST a SQLite database to /inspect");
    if (request.method !== "POST") return failure(405, "METHOD", "POST the database");
    try {
      return Response.json(await inspect(await bodyOf(request)));
    } catch (error) {
      if (error instanceof PagemarkError) return failure(400, error.code, error.message);
      throw error;
    }
  },
};

async function bodyOf(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    // The stated length may lie, so what counts is what comes.
    if (size > MOST_BYTES)
      throw new PagemarkError("TOO_LARGE", `at most ${MOST_BYTES} bytes can be inspected`);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

async function inspect(database: Uint8Array): Promise<Inspection> {
  const moment = await memory(database).pin();
  try {
    const { pageSize, pageCount } = moment;
    const read = async (pgno: number) => {
      const page = new Uint8Array(pageSize);
      await moment.read(pgno, page);
      return page;
    };
    return { pageSize, pageCount, tables: await readTables(read, pageCount, true) };
  } finally {
    await moment.release();
  }
}

function failure(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status });
}
