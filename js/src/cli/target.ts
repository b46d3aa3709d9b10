import { lstat, open, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { damageIn, unlisted } from "../backups/damaged-tables.ts";
import { PagemarkError } from "../errors/index.ts";
import { type PageHeads, withHeads } from "../moments/page-heads.ts";
import { readTables, type Table } from "../moments/tables.ts";
import { replaceFile } from "../sources/file/replace.ts";
import { SIDECARS, targetOf } from "../sources/file/target.ts";
import { folderPath, openSource, placesIn, redacted } from "./places.ts";
import { refuseTerminal, STANDARD, writeToStandardOutput } from "./standard-output.ts";

export interface TargetOptions {
  force: boolean;
  json: boolean;
  /** Files that the command reads. */
  reads?: string[];
  /** The store that the command reads. */
  from?: string | undefined;
  /** Names what is written, when people cannot read it. */
  binary?: string;
}

/** Refuses, before anything is done, a target that exists, is no file, or is part of what is read. */
export async function checkTarget(path: string, options: TargetOptions): Promise<void> {
  const { force, json, reads = [], from, binary } = options;
  if (path === STANDARD) return checkStandardOutput(json, binary);
  if (path === "") throw new PagemarkError("USAGE", "-o is empty: give a file, or - for standard output");
  if (path.endsWith("/")) {
    throw new PagemarkError("USAGE", `${path} is a folder's name, with a slash at its end; give a file`);
  }
  for (const read of reads) {
    if (await isPartOf(path, read)) throw isSource(path, `the command reads ${read}`);
  }
  const { target } = await targetOf(path);
  if (from !== undefined && (await isObject(target, from)))
    throw isSource(path, `it is in the store ${redacted(from)}, among the backups`);
  if (!force && (await exists(path))) {
    throw new PagemarkError("TARGET_EXISTS", `${path} exists; give another -o, or --force to replace it`, {
      name: path,
    });
  }
}

export function checkStandardOutput(json: boolean, binary: string | undefined): void {
  if (json) {
    const message =
      "--json and the output itself would both go to standard output: give -o a file, or leave --json out";
    throw new PagemarkError("USAGE", message);
  }
  if (binary !== undefined) refuseTerminal(binary);
}

/** Writes a file completely or not at all. Call {@link checkTarget} before. Returns how many bytes there were. */
export function writeTarget(
  path: string,
  body: ReadableStream<Uint8Array> | AsyncGenerator<Uint8Array, void, void>,
  signal: AbortSignal,
  isDatabase = true,
): Promise<number> {
  if (path === STANDARD) return writeToStandardOutput(body, signal);
  const ownsChunks = body instanceof ReadableStream;
  return replaceFile(path, body, { signal, ownsChunks, isDatabase });
}

/** The same, as gzip (RFC 1952) makes it smaller. */
export function compressed(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  return body.pipeThrough(new CompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
}

/** Whether two paths lead to one file, or the first leads to a file beside the database at the second. */
async function isPartOf(path: string, read: string): Promise<boolean> {
  if (read === STANDARD) return false;
  const target = await identify(path);
  if (target === undefined) return false;
  for (const ending of ["", ...SIDECARS]) {
    if ((await identify(read + ending)) === target) return true;
  }
  return false;
}

async function identify(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

/** Whether a path is inside a database's folder in a store. Other files may lie beside those folders. */
async function isObject(target: string, stores: string): Promise<boolean> {
  for (const store of placesIn(stores)) if (await isObjectOf(target, store)) return true;
  return false;
}

async function isObjectOf(target: string, store: string): Promise<boolean> {
  const path = folderPath(store);
  const root = path === undefined ? undefined : await realpath(path).catch(() => undefined);
  const [folder = "", ...rest] = root === undefined ? [] : relative(root, target).split(sep);
  if (root === undefined || folder === "" || folder === ".." || isAbsolute(folder)) return false;
  return rest.length > 0 && (folder === ".pagemark" || (await exists(join(root, folder, "ltx"))));
}

function isSource(path: string, why: string): PagemarkError {
  const message = `${path}: must not be replaced, because ${why}; give another -o; nothing was changed`;
  return new PagemarkError("TARGET_IS_SOURCE", message, { name: path });
}

export function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** The tables of a file that was put in place. What keeps them from being read is a warning: the file stays. */
export async function inspect(
  path: string,
  heads: PageHeads,
): Promise<{ tables: Table[]; warnings: string[] }> {
  const advice = `run \`pagemark check ${path}\`, and \`pagemark dump --salvage ${path}\` for what can be read`;
  try {
    const tables = await tablesOf(path, heads);
    return { tables, warnings: damageIn(tables).map((line) => `${line}; ${advice}`) };
  } catch (error) {
    return { tables: [], warnings: [`${unlisted(error, path)}; ${advice}`] };
  }
}

/** The tables of a database file, with their rows. Pages whose heads passed through `heads` are not read again. */
async function tablesOf(path: string, heads: PageHeads): Promise<Table[]> {
  /** In bytes. Leaves mostly lie side by side, so one read serves many of them. */
  const WINDOW = 16 << 10;
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
    return await readTables(await withHeads(read, heads, moment.pageCount), moment.pageCount, true);
  } finally {
    await moment.release();
  }
}

/** Further notes on a database that was written, a line each; `note` says where it came from. The file is in place: nothing fails it. */
export async function notesOn(path: string, note: string | undefined): Promise<string[]> {
  const wal = "it is in WAL mode: SQLite needs to write -wal and -shm files beside it";
  const isWal = await isInWalMode(path).catch(() => false);
  return [...(note ? [note] : []), ...(isWal ? [wal] : [])];
}

async function isInWalMode(path: string): Promise<boolean> {
  const handle = await open(path);
  try {
    // The read and write versions of the file format: 2 is WAL mode.
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 18);
    return buffer.includes(2);
  } finally {
    await handle.close();
  }
}
