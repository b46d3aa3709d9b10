import { PagemarkError } from "../errors/index.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { Database } from "./database.ts";

export interface PagemarkOptions {
  /** Where backups go. */
  store: Store;
  /** The database's name in the store; the source's own unless given. */
  name?: string;
}

/**
 * A database and its backups.
 *
 * @example
 * ```ts
 * import { file, fs, pagemark } from "pagemark";
 * const db = pagemark(file("app.db"), { store: fs("./backups") });
 * const backup = await db.backup();
 * ```
 */
export function pagemark(source: PageSource, { store, name = source.name }: PagemarkOptions): Database {
  if (!source || !store) throw new PagemarkError("USAGE", "pagemark(source, { store }) needs both");
  return new Database(source, name, store);
}
