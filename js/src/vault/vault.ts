// Databases and their backups, worked with by statements.
import { checkHas, checkOptions, PagemarkError, wrongType } from "../errors/index.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import { type Checkpoints, OwnCheckpoints } from "./checkpoints.ts";
import { runStatement, type StatementOptions, type StatementResult } from "./run-statement.ts";
import { SourceDatabase } from "./source-database.ts";
import type { Schedules, StatementDatabase, StatementHost } from "./statement-host.ts";

/** Finds databases that come and go. */
export interface DatabaseFinder {
  /** The names of all. */
  names(): Promise<readonly string[]>;
  /** `undefined` when there is none of that name. */
  find(name: string): Promise<PageSource | undefined>;
  /** A new one, which a restore fills. Missing where none can be made. @throws PagemarkError `DATABASE_EXISTS` */
  create?(name: string): Promise<PageSource>;
}

/** What a vault is made of. */
export interface VaultOptions {
  /** The databases, by name. */
  databases: Readonly<Record<string, PageSource>> | DatabaseFinder;
  /** Where backups go unless a statement says. */
  store?: Store | undefined;
  /** Opens the store of a URL in a statement, or of the URLs of several localities. Without it statements name no stores. */
  openStore?: ((urls: readonly string[]) => Store) | undefined;
  /** Keeps what `CREATE SCHEDULE` makes. */
  schedules?: Schedules | undefined;
  /** Holds databases for `CHECKPOINT CREATE`; the vault itself unless given, as long as its process runs. */
  checkpoints?: Checkpoints | undefined;
}

/** Databases and their backups. */
export class Vault {
  readonly #host: VaultHost;

  constructor(options: VaultOptions) {
    this.#host = new VaultHost(options);
  }

  /**
   * Carries out one statement: `BACKUP DATABASE app TO 's3://bucket/prefix'`, `SHOW BACKUPS` and the like, as docs/statements.md
   * lists them. Resolves once what it made is durable. Nothing of it is SQL that a database sees.
   *
   * @throws PagemarkError `STATEMENT_SYNTAX`, whose `at.position` is the place of the word that is wrong, in UTF-16 code units
   */
  sql(text: string, options?: StatementOptions): Promise<StatementResult> {
    return runStatement(text, this.#host, options);
  }

  /** What statements are carried out on, for servers that have a way of their own to take them. */
  get host(): StatementHost {
    return this.#host;
  }
}

/**
 * Opens databases and their backups for statements.
 *
 * @example
 * ```ts
 * import { file, folder } from "pagemark";
 * import { openVault } from "pagemark/vault";
 * const vault = openVault({ databases: { app: file("app.db") }, store: folder("./backups") });
 * const { rows } = await vault.sql("BACKUP DATABASE app");
 * ```
 */
export function openVault(options: VaultOptions): Vault {
  return new Vault(options);
}

class VaultHost implements StatementHost {
  readonly #finder: DatabaseFinder;
  readonly #store: Store | undefined;
  readonly #checkpoints: Checkpoints;
  readonly openStore?: (urls: readonly string[]) => Store;
  readonly schedules?: Schedules;
  readonly create?: (name: string) => Promise<StatementDatabase>;

  constructor(options: VaultOptions) {
    const { databases, store, openStore, schedules, checkpoints } = checkOptions(options ?? null);
    if (typeof databases !== "object" || databases === null || Array.isArray(databases)) {
      throw wrongType('an object such as { app: file("app.db") }', databases, "databases");
    }
    if (store !== undefined) checkHas("list", store, "store", 'one such as folder("./backups")');
    this.#checkpoints = checkpoints ?? new OwnCheckpoints();
    this.#finder = isFinder(databases) ? databases : finderOf(databases);
    this.#store = store;
    if (openStore) this.openStore = openStore;
    if (schedules) this.schedules = schedules;
    const { create } = this.#finder;
    if (create) this.create = async (name) => this.#database(name, await create.call(this.#finder, name));
  }

  async *databases(): AsyncGenerator<StatementDatabase, void, void> {
    for (const name of await this.#finder.names()) yield await this.database(name);
  }

  async database(name: string): Promise<StatementDatabase> {
    const source = await this.#finder.find(name);
    if (source) return this.#database(name, source);
    const names = await this.#finder.names();
    const known = names.length > 0 ? `there are ${names.slice(0, 10).join(", ")}` : "there are none";
    throw new PagemarkError("DATABASE_UNKNOWN", `there is no database ${name}; ${known}`, { name });
  }

  #database(name: string, source: PageSource): StatementDatabase {
    return new SourceDatabase(name, source, this.#store, this.#checkpoints);
  }
}

function isFinder(databases: VaultOptions["databases"]): databases is DatabaseFinder {
  return typeof databases.names === "function" && typeof databases.find === "function";
}

function finderOf(databases: Readonly<Record<string, PageSource>>): DatabaseFinder {
  return {
    names: async () => Object.keys(databases),
    find: async (name) => (Object.hasOwn(databases, name) ? databases[name] : undefined),
  };
}
