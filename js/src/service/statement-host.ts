// Statements on the databases of a service: backups go to its own store, and restores are in place.
import { PagemarkError } from "../errors/index.ts";
import type {
  BackupMade,
  BackupRequest,
  RestoreDone,
  RestoreRequest,
  Row,
  StatementDatabase,
  StatementHost,
} from "../vault/statement-host.ts";
import { backupName, unknownDatabase } from "./identity.ts";
import type { TablesOptions } from "./options.ts";
import {
  type Databases,
  everyDatabase,
  orphanedBackups,
  type Registered,
  type ServedDatabase,
  type Service,
} from "./service.ts";

/** What statements are carried out on where nothing else is said: see {@link Service.statements}. */
export function hostOf({ databases }: Pick<Service, "databases">): StatementHost {
  const made = (registered: Registered) => new OfService(registered, databases);
  return {
    async *databases() {
      for await (const each of everyDatabase((options) => databases.list(options))) yield made(each);
    },
    async database(name) {
      const registered = await databases.find(name);
      if (registered) return made(registered);
      const message = `the database ${name.slice(0, 100)} could not be found`;
      throw new PagemarkError("DATABASE_UNKNOWN", message);
    },
    async *orphans() {
      for await (const { database, id, createdAt, kind, size, state, partial } of orphanedBackups(
        databases,
      )) {
        const { name, uuid, deletedAt } = database;
        const tables = partial && { partial: partial.join(", ") };
        yield { database: name, databaseId: uuid, deletedAt, id, createdAt, kind, size, state, ...tables };
      }
    },
  };
}

class OfService implements StatementDatabase {
  readonly #registered: Registered;
  readonly #databases: Databases;
  readonly #database: ServedDatabase;

  constructor(registered: Registered, databases: Databases) {
    this.#registered = registered;
    this.#databases = databases;
    this.#database = databases.open(registered.uuid);
  }

  get name(): string {
    return this.#registered.name;
  }

  async describe(): Promise<Row> {
    const { name, uuid, createdAt, size } = this.#registered;
    return { name, id: uuid, createdAt, size };
  }

  async backup({ full, timeMs, tables, tag, note }: BackupRequest): Promise<BackupMade> {
    if (tag !== undefined || note !== undefined) throw refused("backups have no tags and notes here");
    if (timeMs !== undefined) await this.#refuseChanged(timeMs);
    // Every commit of the last time is in the database's own history: nothing has to be done for revision_history.
    return { backup: await this.#database.backup({ full, tables: tables && [...tables] }), notices: [] };
  }

  backups() {
    return this.#database.backups();
  }

  partialBackups() {
    return this.#database.partialBackups();
  }

  async restore({ at, from, tables, safety }: RestoreRequest): Promise<RestoreDone> {
    if (tables) return this.#restoreTables({ at, from, tables: [...tables], safety });
    const { undo, warnings = [], instead } = await this.#database.restore({ at, safety });
    const other = instead === undefined ? [] : [`${this.name}: the state before it is in place, ${instead}`];
    return { undo, tables: await tablesOf(this.#database), notices: [...other, ...warnings] };
  }

  async #restoreTables({ from, ...options }: TablesOptions): Promise<RestoreDone> {
    const source = from === undefined ? undefined : await this.#databases.find(from);
    if (source === null) throw unknownDatabase();
    const restored = await this.#database.restoreTables?.({
      ...options,
      from: source && backupName(source),
    });
    if (!restored) throw refused("single tables are not restored here: RESTORE DATABASE restores them all");
    const { undo, tables, warnings = [] } = restored;
    return { undo, tables, notices: warnings };
  }

  async restoreTo(name: string, at: string | undefined): Promise<RestoreDone> {
    const { uuid, warnings = [] } = await this.#databases.restoreToNew(this.#registered.uuid, at, name);
    return { tables: await tablesOf(this.#databases.open(uuid)), notices: warnings };
  }

  createCheckpoint() {
    return this.#database.createCheckpoint();
  }

  releaseCheckpoint() {
    return this.#database.releaseCheckpoint();
  }

  checkpoint() {
    return this.#database.checkpoint();
  }

  /** The newest state is that of an earlier time as long as nothing was committed since. */
  async #refuseChanged(timeMs: number): Promise<void> {
    const at = new Date(timeMs);
    if ((await this.#database.bookmarkAt(at)) === (await this.#database.bookmark())) return;
    const message = `${this.name} has changed since ${at.toISOString()}: a backup is of the newest state; RESTORE … AS OF SYSTEM TIME goes back to the other`;
    throw new PagemarkError("HISTORY_UNKNOWN", message);
  }
}

async function tablesOf(database: ServedDatabase): Promise<{ name: string; rows?: number }[]> {
  // Without those that belong to virtual tables.
  const sql =
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name";
  const [names] = await database.query([{ sql }], { readonly: true });
  const tables: { name: string; rows?: number }[] = [];
  for (const [name] of names?.rows ?? []) {
    const count = { sql: `SELECT count(*) FROM "${String(name).replaceAll('"', '""')}"` };
    // A virtual table whose module is missing cannot be counted.
    const [counted] = await database.query([count], { readonly: true }).catch(() => []);
    const rows = counted?.rows[0]?.[0];
    tables.push({ name: String(name), ...(rows !== undefined && { rows: Number(rows) }) });
  }
  return tables;
}

function refused(what: string): PagemarkError {
  return new PagemarkError("STATEMENT_UNSUPPORTED", what);
}
