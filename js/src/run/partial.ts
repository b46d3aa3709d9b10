import { type Backup, Folder } from "../catalog/folder.ts";
import { core } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { momentOfTables } from "../moments/tables-moment.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { everyObject } from "../stores/store-list.ts";

/** The names of tables in the one order that they have in names and records. */
export function inOrder(tables: readonly string[]): string[] {
  if (tables.length === 0) throw new PagemarkError("USAGE", "tables is empty: leave it out for all tables");
  return [...new Set(tables)].sort();
}

/** Under which name backups of some tables of a database are kept: `app.customers,orders`. */
export function partialName(name: string, tables: readonly string[]): string {
  return `${name}.${inOrder(tables).join(",")}`;
}

/** Under which name the backups of the whole database are, by that of one of its backups: of `app.customers,orders` it is `app`. */
export function wholeName(name: string, { partial }: Pick<Backup, "partial"> = {}): string {
  const ending = partial ? partialName("", partial) : "";
  return name.endsWith(ending) && name !== ending ? name.slice(0, name.length - ending.length) : name;
}

/** Some tables of a database, as a source. */
export function sourceOfTables(source: PageSource, tables: readonly string[]): PageSource {
  return {
    name: source.name,
    async pin({ signal, scratch } = {}) {
      const moment = await source.pin({ signal, scratch });
      return momentOfTables(moment, source.name, inOrder(tables), signal);
    },
  };
}

/** @throws PagemarkError `BACKUP_PARTIAL` where a database is to be put in the place of another, and the backup has not all of one */
export function refusePartial(backup: Backup | undefined, name: string): void {
  const { partial } = backup ?? {};
  if (partial === undefined) return;
  const tables = partial.map((table) => JSON.stringify(table)).join(", ");
  const message = `${name}: this is a partial backup, of ${tables} only: a database cannot be restored from it; restore the tables into one by their names, or download it`;
  throw new PagemarkError("BACKUP_PARTIAL", message, { name });
}

/** A backup of some tables. */
export interface PartialBackup extends Backup {
  /** The tables and views that it holds. */
  partial: string[];
}

/** Every partial backup of the database of that name, newest first. */
export async function partialBackups(
  name: string,
  store: Store,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<PartialBackup[]> {
  const { nameToSegment } = await core();
  const objects = await everyObject(store, `${nameToSegment(name)}.`, options);
  const segments = new Set(objects.map(({ key }) => key.slice(0, key.indexOf("/"))));
  const found: PartialBackup[] = [];
  for (const segment of segments) {
    // A database may have such a name, too: what has it then is whole.
    const isOne = (backup: Backup): backup is PartialBackup =>
      backup.partial !== undefined && nameToSegment(partialName(name, backup.partial)) === segment;
    const folder = await Folder.load(store, segment, { signal: options.signal });
    const backups = await folder.use(() => folder.list());
    found.push(...backups.filter(isOne));
  }
  return newestFirst(found);
}

/** The backups in the order of lists. */
export function newestFirst<T extends Backup>(backups: readonly T[]): T[] {
  return [...backups].sort((one, other) => (one.createdAt < other.createdAt ? 1 : -1));
}
