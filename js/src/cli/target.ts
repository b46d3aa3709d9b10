import { lstat } from "node:fs/promises";
import { PagemarkError } from "../errors/index.ts";
import { type ReadPage, readTables, type Table } from "../jobs/tables.ts";
import type { PageHeads } from "./page-heads.ts";
import { openSource } from "./places.ts";

/** Writes a database file whole, or not at all. */
export async function writeDatabase(
  path: string,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await openSource(path).replace?.(body, { signal, ownsChunks: true });
}

export async function refuseExisting(path: string, force: boolean): Promise<void> {
  if (!force && (await exists(path))) {
    throw new PagemarkError("TARGET_EXISTS", `${path} exists; give another -o, or --force to replace it`, {
      name: path,
    });
  }
}

export function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** The tables of a database file, with their rows. What passed by in `heads` is not read again. */
export async function tablesOf(path: string, heads?: PageHeads): Promise<Table[]> {
  /** Leaves lie side by side mostly, so one read serves many; what is above them does not. */
  const WINDOW = heads ? 16 << 10 : 256 << 10;
  const moment = await openSource(path).pin();
  const perWindow = Math.max(1, Math.floor(WINDOW / moment.pageSize));
  const buffer = new Uint8Array(perWindow * moment.pageSize);
  let window: { first: number; end: number } | undefined;
  try {
    const read = async (pgno: number) => {
      if (!window || pgno < window.first || pgno >= window.end) {
        const first = pgno - ((pgno - 1) % perWindow);
        window = { first, end: Math.min(first + perWindow, moment.pageCount + 1) };
        await moment.read(first, buffer.subarray(0, (window.end - first) * moment.pageSize));
      }
      const start = (pgno - window.first) * moment.pageSize;
      return buffer.subarray(start, start + moment.pageSize);
    };
    return await readTables(
      heads ? await withHeads(read, heads, moment.pageCount) : read,
      moment.pageCount,
      true,
    );
  } finally {
    await moment.release();
  }
}

/** `read`, but leaves of tables come from `heads`. The schema's are read: more than their heads is looked at. */
async function withHeads(read: ReadPage, heads: PageHeads, pageCount: number): Promise<ReadPage> {
  const schema = new Set<number>();
  const noting: ReadPage = (pgno) => {
    schema.add(pgno);
    return read(pgno);
  };
  await readTables(noting, pageCount, false);
  return async (pgno) => (schema.has(pgno) ? undefined : heads.leaf(pgno)) ?? read(pgno);
}
