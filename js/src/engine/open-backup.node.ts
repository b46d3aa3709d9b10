import type { Backup } from "../catalog/folder.ts";
import { checkOptions, checkText } from "../errors/index.ts";
import { TemporaryFile } from "../node/temporary-file.ts";
import { BackupPages } from "./backup-pages.node.ts";
import { LiveDatabase } from "./database.ts";
import { FileScratch } from "./file-scratch.node.ts";
import { type ReadOnlyPages, readOnlyPages } from "./read-only-pages.ts";

/** Which backup is opened. */
export interface OpenBackupOptions {
  /** Which backup: an id, a bookmark, a TXID, a time or an age; the newest unless given. */
  at?: string;
  /** Reads it from this one of several stores only. */
  fromLocality?: string | undefined;
  /** Called with what was found besides, such as later states that cannot be read, so that an older one was opened. */
  onWarning?: ((message: string) => void) | undefined;
}

/** A stored backup as a database that can only be read. */
export class OpenedBackup implements AsyncDisposable {
  /** SQLite refuses statements that write. */
  readonly database: LiveDatabase;
  readonly #pages: BackupPages;
  readonly #store: ReadOnlyPages;
  readonly #scratch: TemporaryFile;

  constructor(database: LiveDatabase, pages: BackupPages, store: ReadOnlyPages, scratch: TemporaryFile) {
    this.database = database;
    this.#pages = pages;
    this.#store = store;
    this.#scratch = scratch;
  }

  /** Missing for a folder that Litestream wrote. */
  get backup(): Backup | undefined {
    return this.#pages.backup;
  }

  /** Why a page could not be read, where a statement failed because of that. */
  get failure(): unknown {
    return this.#store.failure?.error;
  }

  async close(): Promise<void> {
    this.database.close();
    this.#pages[Symbol.dispose]();
    await this.#scratch.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens a stored backup as a database, without restoring it: pages are fetched as statements need them, and each is proved by
 * its fingerprint. This thread stands still meanwhile, as for any statement of the engine.
 *
 * @param from the store, as `openStore` takes it: a folder or a URL
 * @param name of the database there
 * @throws PagemarkError `BACKUP_NONE`, `BACKUP_UNKNOWN`, and what the store fails with
 * @example
 * ```ts
 * import { openBackup } from "pagemark/engine";
 * const opened = await openBackup("./backups", "app", { at: "-1d" });
 * const rows = opened.database.prepare("SELECT * FROM orders WHERE id = ?").all(7);
 * await opened.close();
 * ```
 */
export async function openBackup(
  from: string,
  name: string,
  options: OpenBackupOptions = {},
): Promise<OpenedBackup> {
  const { at, fromLocality, onWarning } = checkOptions(options);
  checkText(from, "the store");
  checkText(name, "name");
  const pages = await BackupPages.open({ from, name, at, fromLocality });
  let scratch: TemporaryFile | undefined;
  let store: ReadOnlyPages | undefined;
  try {
    scratch = await TemporaryFile.create();
    store = readOnlyPages(pages, new FileScratch(scratch.fd));
    const database = await LiveDatabase.open({ store, name: `${name}@${pages.backup?.txid ?? "backup"}` });
    database.exec("PRAGMA query_only = 1");
    for (const warning of pages.warnings) onWarning?.(warning);
    return new OpenedBackup(database, pages, store, scratch);
  } catch (error) {
    pages[Symbol.dispose]();
    await scratch?.close();
    throw store?.failure?.error ?? error;
  }
}
