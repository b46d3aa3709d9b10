import type { PageSource } from "../sources/source.ts";
import { Database } from "./database.ts";
import { type PagemarkOptions, subjectOf } from "./subject.ts";

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
export function pagemark(source: PageSource, options: PagemarkOptions): Database {
  const { name, store } = subjectOf("pagemark", source, options);
  return new Database(source, name, store);
}
