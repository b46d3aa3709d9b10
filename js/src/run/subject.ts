import type { KnownFolder } from "../core/index.ts";
import { checkOptions, PagemarkError } from "../errors/index.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";

/** Under which name and where the backups of a database go. */
export interface PagemarkOptions {
  /** Where backups go. */
  store: Store;
  /** The database's name in the store; the source's own unless given. */
  name?: string;
}

/** What a job works on. */
export interface Subject {
  /** Whether a restore makes the backup, of what it is about to replace. */
  safety: boolean;
  source: PageSource;
  store: Store;
  /** The database's name. */
  name: string;
  /** Its folder in the store. */
  folder: string;
  /** Who makes one backup after the other remembers what there is. */
  memory?: BackupMemory;
}

/** What is backed up, and to where; callers without types may have passed anything. */
export function subjectOf(
  caller: string,
  source: PageSource,
  options: PagemarkOptions | undefined,
): { source: PageSource; store: Store; name: string } {
  if (typeof source?.pin !== "function" || typeof options?.store?.list !== "function") {
    const message = `${caller}(source, { store }) needs both: file("app.db") and folder("./backups"), say`;
    throw new PagemarkError("USAGE", message);
  }
  checkOptions(options);
  const { store, name = source.name } = options;
  return { source, store, name };
}

/** What one who makes backups of a database remembers of its folder; see the core's `run::Known`. */
export class BackupMemory {
  #known: KnownFolder | undefined;

  /** Gives it to one backup only, where two run at once. */
  take(): KnownFolder | undefined {
    const known = this.#known;
    this.#known = undefined;
    return known;
  }

  /** Takes note of the last state between backups that was stored. */
  reach(txid: string): void {
    this.#known?.reach(txid);
  }

  keep(known: KnownFolder | undefined): void {
    this.#known?.free();
    this.#known = known;
  }
}
