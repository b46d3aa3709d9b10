import { type Backup, type Dialect, type Moment, PagemarkError } from "../../entry/workerd.ts";
import { BOOKMARK, ID } from "./at.ts";
import type { DatabaseBackups } from "./backups.ts";
import type { Home } from "./home.ts";

/** Bytes of a file, from `offset` on; all that follow unless `length` is given. */
export interface ByteRange {
  offset: number;
  length?: number | undefined;
}

export interface DownloadOptions {
  /** Only for a database file. */
  range?: ByteRange | undefined;
}

/** What is downloaded, and what of it. */
export interface Download {
  /** `<database>.<first eight digits of the id>.sqlite3` for a backup. */
  filename: string;
  /** Of the whole file, in bytes; not known of SQL. */
  size?: number;
  body: ReadableStream<Uint8Array>;
}

export interface DumpOptions {
  /** A backup, or a state that history has; the newest state unless given. */
  at?: string | Date | undefined;
  dialect?: Dialect | undefined;
  tables?: string[] | undefined;
  noData?: boolean | undefined;
  noSchema?: boolean | undefined;
}

/** What is read at once, in bytes. */
const CHUNK = 1 << 20;

/** The database and its backups as files. */
export class Downloads {
  readonly #home: Home;
  readonly #backups: DatabaseBackups;

  constructor(home: Home, backups: DatabaseBackups) {
    this.#home = home;
    this.#backups = backups;
  }

  /** A backup, or a state that history has, as a database file; without `at` the newest state. Ranges of a backup are proved page by page. */
  async file(at: string | Date | undefined, { range }: DownloadOptions = {}): Promise<Download> {
    const { name } = this.#home.identity;
    const backup = at === undefined ? undefined : await this.#find(at);
    if (!backup) {
      const database = await this.#home.database();
      const moment = await database.pin({ at });
      return { filename: `${name}.sqlite3`, ...rangeOf(moment, range) };
    }
    const stored = await this.#backups.stored();
    const filename = fileOf(name, backup, "sqlite3");
    if (range) return { filename, ...rangeOf(await stored.pages(backup.id), range) };
    const { body } = await stored.download(backup.id);
    return { filename, size: backup.size, body };
  }

  /** A backup as one LTX file: a snapshot of its state. */
  async ltx(at: string): Promise<Download> {
    const stored = await this.#backups.stored();
    const backup = await stored.find(at);
    return {
      filename: fileOf(this.#home.identity.name, backup, "ltx"),
      body: await stored.snapshot(backup.id),
    };
  }

  /** A state as SQL. */
  async sql({ at, ...options }: DumpOptions): Promise<Download> {
    const { name } = this.#home.identity;
    const database = await this.#home.database();
    if (at === undefined) return { filename: `${name}.sql`, body: await database.dump(options) };
    const backup = await this.#find(at);
    if (!backup) return { filename: `${name}.sql`, body: await database.dump({ ...options, at }) };
    const stored = await this.#backups.stored();
    return { filename: fileOf(name, backup, "sql"), body: await stored.dump(backup.id, options) };
  }

  /** The backup that `at` means. Anything else means a state that history has: a time is not that of a backup. */
  async #find(at: string | Date): Promise<Backup | undefined> {
    if (typeof at !== "string" || !(ID.test(at) || BOOKMARK.test(at))) return undefined;
    const stored = await this.#backups.stored();
    return stored.find(at).catch((error) => {
      if (ID.test(at)) throw error;
      return undefined;
    });
  }
}

function fileOf(name: string, { id }: Backup, ending: string): string {
  return `${name}.${id.slice(0, 8)}.${ending}`;
}

/** A range of the file that the moment's pages are. The moment is released at the end. */
function rangeOf(
  moment: Moment,
  range: ByteRange = { offset: 0 },
): { size: number; body: ReadableStream<Uint8Array> } {
  const { pageSize, pageCount } = moment;
  const size = pageSize * pageCount;
  const end = Math.min(size, range.offset + (range.length ?? size));
  if (range.offset > end) {
    moment.release().catch(() => {});
    throw new PagemarkError("RANGE", `the file has ${size} bytes; there are none from ${range.offset} on`);
  }
  const most = Math.max(1, Math.floor(CHUNK / pageSize));
  let at = range.offset;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (at >= end) {
            await moment.release();
            return controller.close();
          }
          const first = Math.floor(at / pageSize);
          const count = Math.min(most, Math.ceil(end / pageSize) - first);
          const pages = new Uint8Array(count * pageSize);
          await moment.read(first + 1, pages);
          const start = first * pageSize;
          controller.enqueue(pages.subarray(at - start, Math.min(pages.length, end - start)));
          at = Math.min(end, start + pages.length);
        } catch (error) {
          await moment.release().catch(() => {});
          throw error;
        }
      },
      cancel: () => moment.release(),
    },
    { highWaterMark: 0 },
  );
  return { size, body };
}
