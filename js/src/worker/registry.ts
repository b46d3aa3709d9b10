import { DurableObject } from "cloudflare:workers";
import { PagemarkError } from "../entry/workerd.ts";
import { type Identity, type Jurisdiction, jurisdictionOf, newUuid } from "../service/identity.ts";
import type { Deleted, ListOptions, Registered } from "../service/service.ts";
import type { SavedSchedule } from "../vault/statement-host.ts";
import { RegistrySchedules } from "./schedules.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS databases (uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL,
    tables INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID`,
  // Listed, and found, only once their objects are there.
  `CREATE TABLE IF NOT EXISTS being_made (name TEXT PRIMARY KEY, uuid TEXT NOT NULL, created_at TEXT NOT NULL)
    WITHOUT ROWID`,
  // Whose backups are still there.
  `CREATE TABLE IF NOT EXISTS deleted (uuid TEXT PRIMARY KEY, name TEXT NOT NULL, created_at TEXT NOT NULL,
    deleted_at TEXT NOT NULL) WITHOUT ROWID`,
  "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
];
/** What came to the table later, by its name and type. */
const LATER = { last_backup_at: "TEXT", last_backup_origin: "TEXT" };
const DELETED = "uuid, name, created_at AS createdAt, deleted_at AS deletedAt";
const COLUMNS = `uuid, name, created_at AS createdAt, tables, size, last_backup_at AS lastBackupAt,
  last_backup_origin AS lastBackupOrigin`;

/** Knows which databases there are. There is one object of this class. */
export class Registry extends DurableObject<object> {
  readonly #sql: SqlStorage;
  readonly #schedules: RegistrySchedules;

  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#schedules = new RegistrySchedules(ctx.storage, env);
    for (const table of TABLES) this.#sql.exec(table);
    const known = this.#sql
      .exec<{ name: string }>("SELECT name FROM pragma_table_info('databases')")
      .toArray();
    for (const [column, type] of Object.entries(LATER)) {
      if (known.some(({ name }) => name === column)) continue;
      this.#sql.exec(`ALTER TABLE databases ADD COLUMN ${column} ${type}`);
    }
  }

  /** Who makes a database begins here: it is the same one for all who make it at once. @throws PagemarkError `DATABASE_EXISTS` */
  begin(name: string, jurisdiction?: Jurisdiction): Identity {
    if (this.find(name)) throw exists(name);
    const sql = "INSERT OR IGNORE INTO being_made (name, uuid, created_at) VALUES (?, ?, ?)";
    const other = this.#sql
      .exec<{ uuid: string }>("SELECT uuid FROM being_made WHERE name = ?", name)
      .toArray();
    // Begun for another place, and not ended: whoever did that finds that it exists.
    if (other[0] && jurisdictionOf(other[0].uuid) !== jurisdiction) {
      this.#sql.exec("DELETE FROM being_made WHERE name = ?", name);
    }
    this.#sql.exec(sql, name, newUuid(jurisdiction), new Date().toISOString());
    const begun = "SELECT uuid, name, created_at AS createdAt FROM being_made WHERE name = ?";
    return this.#sql.exec(begun, name).one() as unknown as Identity;
  }

  /** Enters a database whose object is there. @throws PagemarkError `DATABASE_EXISTS` if somebody else has */
  enter({ uuid, name, createdAt }: Identity, tables: number, size: number): Registered {
    const begun = this.#sql.exec("DELETE FROM being_made WHERE uuid = ? RETURNING 1", uuid).toArray();
    if (begun.length === 0) throw exists(name);
    const sql = "INSERT INTO databases (uuid, name, created_at, tables, size) VALUES (?, ?, ?, ?, ?)";
    this.#sql.exec(sql, uuid, name, createdAt, tables, size);
    return { uuid, name, createdAt, tables, size };
  }

  /** By its UUID or its name; `null` when there is none. */
  find(idOrName: string): Registered | null {
    const sql = `SELECT ${COLUMNS} FROM databases WHERE uuid = ?1 UNION ALL
      SELECT ${COLUMNS} FROM databases WHERE name = ?1 LIMIT 1`;
    return this.#rows(sql, idOrName)[0] ?? null;
  }

  /** A page of them, oldest first, and how many there are in all. */
  list({ name, page, perPage }: ListOptions): { databases: Registered[]; total: number } {
    const where = name === undefined ? "" : "WHERE instr(name, ?) > 0";
    const bindings = name === undefined ? [] : [name];
    const [count] = this.#sql
      .exec<{ total: number }>(`SELECT count(*) AS total FROM databases ${where}`, ...bindings)
      .toArray();
    const sql = `SELECT ${COLUMNS} FROM databases ${where} ORDER BY created_at, uuid LIMIT ? OFFSET ?`;
    const databases = this.#rows(sql, ...bindings, perPage, (page - 1) * perPage);
    return { databases, total: count?.total ?? 0 };
  }

  /** What a database says of itself. */
  report(uuid: string, tables: number, size: number): void {
    this.#sql.exec("UPDATE databases SET tables = ?, size = ? WHERE uuid = ?", tables, size, uuid);
  }

  /** What a database says of its newest backup. */
  reportBackup(uuid: string, createdAt: string | null, origin: string | null): void {
    const sql = "UPDATE databases SET last_backup_at = ?, last_backup_origin = ? WHERE uuid = ?";
    this.#sql.exec(sql, createdAt, origin, uuid);
  }

  /** Takes a database off the list; with `keep` it is listed among those that were deleted, whose backups stay. */
  remove(uuid: string, keep: boolean): void {
    if (keep) {
      const sql = `INSERT OR IGNORE INTO deleted
        SELECT uuid, name, created_at, ? FROM databases WHERE uuid = ?`;
      this.#sql.exec(sql, new Date().toISOString(), uuid);
    }
    this.#sql.exec("DELETE FROM databases WHERE uuid = ?", uuid);
  }

  /** A database that was deleted has no backups any more. */
  forget(uuid: string): void {
    this.#sql.exec("DELETE FROM deleted WHERE uuid = ?", uuid);
  }

  /** A database whose backups there may be, by its UUID or its name, or by its UUID when it was deleted. */
  findBackedUp(idOrName: string): Registered | Deleted | null {
    const sql = `SELECT ${DELETED} FROM deleted WHERE uuid = ?`;
    return this.find(idOrName) ?? (this.#rows(sql, idOrName)[0] as unknown as Deleted) ?? null;
  }

  /** A page of the databases that were deleted and whose backups are there, newest first, and how many there are in all. */
  listDeleted({ page, perPage }: ListOptions): { databases: Deleted[]; total: number } {
    const sql = `SELECT ${DELETED} FROM deleted ORDER BY deleted_at DESC, uuid LIMIT ? OFFSET ?`;
    const databases = this.#rows(sql, perPage, (page - 1) * perPage) as unknown as Deleted[];
    const { total } = this.#sql.exec<{ total: number }>("SELECT count(*) AS total FROM deleted").one();
    return { databases, total };
  }

  /** 32 random bytes, which URLs are signed with; always the same ones. */
  secret(): Uint8Array {
    const random = crypto.getRandomValues(new Uint8Array(32));
    this.#sql.exec("INSERT OR IGNORE INTO secrets VALUES ('url', ?)", random);
    const { value } = this.#sql
      .exec<{ value: ArrayBuffer }>("SELECT value FROM secrets WHERE name = 'url'")
      .one();
    return new Uint8Array(value);
  }

  /** Schedules that statements made. */
  schedules(): SavedSchedule[] {
    return this.#schedules.list();
  }

  /** Puts `all` in the place of `before`; `false` where others are there by now. */
  saveSchedules(all: readonly SavedSchedule[], before: readonly SavedSchedule[]): Promise<boolean> {
    return this.#schedules.save(all, before);
  }

  override alarm(): Promise<void> {
    return this.#schedules.alarm();
  }

  #rows(sql: string, ...bindings: (string | number)[]): Registered[] {
    return this.#sql.exec(sql, ...bindings).toArray() as unknown as Registered[];
  }
}

function exists(name: string): PagemarkError {
  return new PagemarkError("DATABASE_EXISTS", `A database with the name '${name}' already exists`, { name });
}

/** The one registry. */
export function registry({
  REGISTRY,
}: {
  REGISTRY: DurableObjectNamespace<Registry>;
}): DurableObjectStub<Registry> {
  return REGISTRY.get(REGISTRY.idFromName("registry"));
}
