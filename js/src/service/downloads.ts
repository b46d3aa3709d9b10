import type { Backups } from "../backups/backups.ts";
import type { Backup } from "../catalog/folder.ts";
import type { DumpOptions as SqlOptions } from "../dump/options.ts";
import { PagemarkError } from "../errors/index.ts";
import { momentStream } from "../moments/moment-stream.ts";
import { partialName } from "../run/partial.ts";
import type { Moment } from "../sources/source.ts";
import type { KeptBackups } from "../vault/kept-backups.ts";
import { BOOKMARK, ID } from "./arguments.ts";
import { type ByteRange, remade, spanIn } from "./byte-range.ts";
import type { Identity } from "./identity.ts";
import type { DownloadOptions, DumpOptions } from "./options.ts";
import type { Download } from "./service.ts";

/** The database that files are made of. */
export interface Downloaded {
  readonly identity: Pick<Identity, "name">;
  /** Opens it, for its states. */
  database(): Promise<{
    pin(options: { at?: string | Date | undefined }): Promise<Moment>;
    dump(options: SqlOptions & { at?: string | Date }): Promise<ReadableStream<Uint8Array>>;
  }>;
}

/** The database and its backups as files. */
export class Downloads {
  readonly #home: Downloaded;
  readonly #backups: Pick<KeptBackups, "stored">;

  constructor(home: Downloaded, backups: Pick<KeptBackups, "stored">) {
    this.#home = home;
    this.#backups = backups;
  }

  /** A backup, or a state that history has, as a database file; without `at` the newest state. Ranges of a backup are proved page by page. */
  async file(at: string | Date | undefined, { range }: DownloadOptions = {}): Promise<Download> {
    const { name } = this.#home.identity;
    const found = at === undefined ? undefined : await this.#find(at);
    if (!found) {
      const database = await this.#home.database();
      const moment = await database.pin({ at });
      return { filename: `${name}.sqlite3`, ...fileOrRange(moment, range) };
    }
    const { backups: stored, backup } = found;
    const filename = fileOf(name, backup, "sqlite3");
    if (range) return { filename, ...fileOrRange(await stored.pages(backup.id), range) };
    // HTTP has no place for what is known only at the end; the log has.
    const onWarning = (message: string) =>
      // biome-ignore lint/suspicious/noConsole: see above
      console.warn(`database ${JSON.stringify(name)}: a download of backup ${backup.id}: ${message}`);
    const { body } = await stored.download(backup.id, { onWarning });
    return { filename, size: backup.size, body };
  }

  /** A backup as one LTX file: a snapshot of its state. */
  async ltx(at: string, { range }: DownloadOptions = {}): Promise<Download> {
    const { backups: stored, backup } = await (await this.#backups.stored()).having(at);
    const filename = fileOf(this.#home.identity.name, backup, "ltx");
    const make = () => stored.snapshot(backup.id);
    return { filename, ...(range ? await remade(make, range) : { body: await make() }) };
  }

  /** A state as SQL. */
  async sql({ at, range, ...options }: DumpOptions): Promise<Download> {
    const { name } = this.#home.identity;
    const found = at === undefined ? undefined : await this.#find(at);
    if (!found) {
      if (range)
        throw new PagemarkError("USAGE", "SQL comes in ranges only of a backup: give its id as `at`");
      const database = await this.#home.database();
      return {
        filename: `${name}.sql`,
        body: await database.dump(at === undefined ? options : { ...options, at }),
      };
    }
    const { backups: stored, backup } = found;
    const filename = fileOf(name, backup, "sql");
    const make = () => stored.dump(backup.id, options);
    return { filename, ...(range ? await remade(make, range) : { body: await make() }) };
  }

  /** The backup that `at` means. Anything else means a state that history has: a time is not that of a backup. */
  async #find(at: string | Date): Promise<{ backups: Backups; backup: Backup } | undefined> {
    if (typeof at !== "string" || !(ID.test(at) || BOOKMARK.test(at))) return undefined;
    const stored = await this.#backups.stored();
    return stored.having(at).catch((error) => {
      if (ID.test(at)) throw error;
      return undefined;
    });
  }
}

function fileOf(name: string, { id, partial }: Backup, ending: string): string {
  return `${partial ? partialName(name, partial) : name}.${id.slice(0, 8)}.${ending}`;
}

/** The file that the moment's pages are, or a range of it. The moment is released at the end. */
function fileOrRange(moment: Moment, range?: ByteRange): Pick<Download, "size" | "span" | "body"> {
  const size = moment.pageSize * moment.pageCount;
  if (!range) return { size, body: momentStream(moment) };
  try {
    const span = spanIn(range, size);
    return { size, span, body: momentStream(moment, { span }) };
  } catch (error) {
    moment.release().catch(() => {});
    throw error;
  }
}
