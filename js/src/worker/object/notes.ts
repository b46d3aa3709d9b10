import { backupName, type Identity } from "../../service/identity.ts";
import type { Store } from "../../stores/store.ts";
import type { BackupsPlace } from "../../vault/kept-backups.ts";
import type { BackupNote, BackupNotes } from "../../vault/notes.ts";
import type { Bin } from "../jobs/bin.ts";
import { keepMs, type Settings } from "../settings.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS pagemark_backups (id TEXT PRIMARY KEY, origin TEXT NOT NULL,
  missed INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID`;

type Row = Omit<BackupNote, "deleted" | "origin"> & { origin: string; deleted: number };

/** What an object knows of its backups beyond what the store says, in its storage. */
export class StoredNotes implements BackupNotes {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(TABLE);
  }

  all(): BackupNote[] {
    const rows = this.#sql.exec<Row>("SELECT id, origin, missed, deleted FROM pagemark_backups").toArray();
    return rows.map((row) => ({
      ...row,
      origin: row.origin as BackupNote["origin"],
      deleted: row.deleted === 1,
    }));
  }

  put({ id, origin, missed, deleted }: BackupNote): void {
    const sql = "INSERT OR REPLACE INTO pagemark_backups VALUES (?, ?, ?, ?)";
    this.#sql.exec(sql, id, origin, missed, deleted ? 1 : 0);
  }

  forget(ids: Iterable<string>): void {
    for (const id of ids) this.#sql.exec("DELETE FROM pagemark_backups WHERE id = ?", id);
  }
}

/** Where the backups of a database are, and what its object knows of them. */
export function backupsPlace(
  sql: SqlStorage,
  env: Settings,
  identity: Identity,
  { store, bin }: { store: Store; bin: Bin },
): BackupsPlace {
  return {
    store,
    name: backupName(identity),
    notes: new StoredNotes(sql),
    removals: bin,
    get keepMs() {
      return keepMs(env);
    },
  };
}
