// What runs in the worker that a page starts.
import { type Database, pagemark } from "../backups/database.ts";
import { PagemarkError } from "../errors/index.ts";
import { type Thrown, thrownOf } from "../errors/thrown.ts";
import type { BackupOptions } from "../run/backup.ts";
import { indexedDb } from "../sources/indexed-db.ts";
import { type OpfsOptions, opfs } from "../sources/opfs/opfs.ts";
import { replaceDatabase } from "../sources/opfs/replace.ts";
import { http } from "../stores/http/http.ts";
import { opfsStore } from "../stores/opfs/opfs.ts";
import type { JobOptions, Progress } from "../streams/progress.ts";
import { type FileFormat, saveTo } from "./save.ts";

/** Which database, and where its backups go: paths in the origin's private files. */
export interface Subject extends OpfsOptions {
  database: string;
  /** See `BackgroundOptions`. */
  indexedDb?: true | string;
  /** See `BackgroundOptions`. */
  store: string;
  token?: string;
  /** Name of the database in the store. */
  name?: string;
}

/** What crosses to the worker of the options of a job. */
export type Plain<T> = Omit<T, "signal" | "onProgress" | "onWarning">;

/** The work that a worker does, by its name. */
export interface Work {
  backup: Plain<BackupOptions>;
  list: undefined;
  restore: { at?: string | undefined; safety?: boolean | undefined };
  verify: { at?: string | undefined };
  download: { at?: string | undefined };
  export: undefined;
  dump: { at?: string | undefined };
  delete: { id: string };
  /** Into a file of the user's, or as a `Blob`. */
  file: { at?: string | undefined; format: FileFormat; target?: FileSystemFileHandle };
  replace: { file: Blob; safety: boolean };
}

export type Request =
  | { id: number; subject: Subject; method: keyof Work; options: unknown }
  | { id: number; abort: true };

export type Answer =
  | { id: number; progress: Progress }
  | { id: number; warning: string }
  | { id: number; value: unknown }
  | { id: number; thrown: Thrown };

/** Progress is told no oftener, in milliseconds: each message is work for the page. */
const TELL_MS = 50;

interface Port {
  postMessage(answer: Answer, transfer?: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Request>) => void): void;
}

/** Does what comes over `port`, until its page goes. */
export function serve(port: Port): void {
  const running = new Map<number, AbortController>();
  port.addEventListener("message", ({ data }) => {
    if ("abort" in data) running.get(data.id)?.abort();
    else void answer(port, data, running);
  });
}

async function answer(
  port: Port,
  { id, subject, method, options: plain }: Exclude<Request, { abort: true }>,
  running: Map<number, AbortController>,
): Promise<void> {
  const aborter = new AbortController();
  running.set(id, aborter);
  let told = 0;
  const options = {
    ...(plain as object),
    signal: aborter.signal,
    onWarning: (warning: string) => port.postMessage({ id, warning }),
    onProgress: (progress: Parameters<NonNullable<JobOptions["onProgress"]>>[0]) => {
      const isDue = performance.now() - told > TELL_MS || progress.done === progress.total;
      if (!isDue) return;
      told = performance.now();
      port.postMessage({ id, progress });
    },
  };
  try {
    const value = await perform(subject, method, options);
    port.postMessage({ id, value }, value instanceof ReadableStream ? [value] : []);
  } catch (error) {
    port.postMessage({ id, thrown: thrownOf(error) });
  } finally {
    running.delete(id);
  }
}

/** By what was asked for: one that made a backup knows what is stored, and reads none of it for the next one. */
const opened = new Map<string, Database>();

function databaseOf(subject: Subject): Database {
  const key = JSON.stringify(subject);
  const known = opened.get(key);
  if (known) return known;
  const { database, store, token = "", name, indexedDb: inside, ...more } = subject;
  const source =
    inside === undefined
      ? opfs(database, more)
      : indexedDb(database, inside === true ? {} : { database: inside });
  const isAddress = /^https?:/i.test(store);
  const db = pagemark(source, {
    store: isAddress ? http(store, { token }) : opfsStore(store),
    ...(name !== undefined && { name }),
  });
  opened.set(key, db);
  return db;
}

async function perform(
  subject: Subject,
  method: keyof Work,
  options: { signal: AbortSignal },
): Promise<unknown> {
  const db = databaseOf(subject);
  const { signal } = options;
  const { at, id = "" } = options as { at?: string; id?: string };
  switch (method) {
    case "backup":
      return db.backup(options);
    case "list":
      return Array.fromAsync(db.backups(options));
    case "restore":
      return db.restore(options);
    case "verify":
      return db.verify(options);
    case "download":
      return db.download(at, options);
    case "export":
      return db.export(options);
    case "dump":
      return db.dump(options);
    case "delete":
      return db.delete(id, options);
    case "file": {
      const { format, target, ...rest } = options as JobOptions & Work["file"];
      const body = await fileOf(db, format, at, rest);
      return target ? saveTo(target, body, { signal }) : new Response(body).blob();
    }
    case "replace": {
      const { file, safety } = options as unknown as Work["replace"];
      const { database, pool } = subject;
      if (subject.indexedDb === undefined) {
        const before = async () => {
          if (safety) await db.backup({ ...options, note: "before a file took its place" }).catch(nothingYet);
        };
        return replaceDatabase(database, pool, file.stream(), { signal, before });
      }
      const message = `${database} is in IndexedDB and can only be read; let its library import the file`;
      throw new PagemarkError("SOURCE_READ_ONLY", message);
    }
  }
}

/** Passes over the error where there is no database yet. */
function nothingYet(error: PagemarkError): void {
  if (error.code !== "SOURCE_MISSING" && error.code !== "DATABASE_EMPTY") throw error;
}

/** The database as it is now, or the backup of `at`, in a format for files. */
async function fileOf(
  db: Database,
  format: FileFormat,
  at: string | undefined,
  options: JobOptions,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const image = () => (at === undefined ? db.export(options) : db.download(at, options));
  const isSql = format.startsWith("sql.") || format === "sql";
  const body = isSql ? await db.dump({ ...options, ...(at !== undefined && { at }) }) : await image();
  const bytes = body as ReadableStream<Uint8Array<ArrayBuffer>>;
  return format.endsWith(".gz") ? bytes.pipeThrough(new CompressionStream("gzip")) : bytes;
}
