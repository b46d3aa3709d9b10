import { DurableObject } from "cloudflare:workers";
import { PagemarkError } from "../../entry/workerd.ts";
import { type Env, registry, setting } from "../env.ts";
import { Live } from "./live.ts";
import { measure } from "./measure.ts";
import { type Query, type QueryOptions, type QueryResult, runQueries } from "./queries.ts";

/** What a database is. */
export interface DatabaseInfo {
  uuid: string;
  name: string;
  /** RFC 3339. */
  createdAt: string;
  /** User tables. */
  tables: number;
  /** In bytes. */
  size: number;
}

/** User tables, and bytes. */
interface Size {
  tables: number;
  size: number;
}

/** What an object knows of itself, from when it was created. */
interface Identity {
  uuid: string;
  name: string;
  createdAt: string;
}

const HOUR = 3_600_000;
/** See `Database.limited`. */
const MOST_STEPS = 500_000_000;

/** One SQLite database, in the storage of a Durable Object. */
export class Database extends DurableObject<Env> {
  #identity: Identity | undefined;
  #live: Live | undefined;
  #reported: Size | undefined;
  #reporting: Promise<void> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#identity = ctx.storage.kv.get<Identity>("identity");
  }

  /** Makes the database that the registry just entered. */
  async create(identity: Identity): Promise<DatabaseInfo> {
    this.#identity = identity;
    this.ctx.storage.kv.put("identity", identity);
    // A commit, so that even an empty database has a bookmark and can be backed up.
    (await this.#database()).exec("PRAGMA user_version = 0");
    return this.info();
  }

  /** Ends it. Backups stay where they are. */
  async destroy(): Promise<void> {
    await this.#live?.close();
    this.#live = undefined;
    this.#identity = undefined;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  async info(): Promise<DatabaseInfo> {
    const db = await this.#database();
    const { uuid, name, createdAt } = this.#known;
    return { uuid, name, createdAt, ...measure(db) };
  }

  /**
   * Runs SQL: all of it in one transaction.
   *
   * @throws SqlError, and PagemarkError `STATEMENT_REFUSED`, `READ_ONLY`, `RESULT_SIZE`, `USAGE`
   */
  async query(queries: readonly Query[], options: QueryOptions = {}): Promise<QueryResult[]> {
    const db = await this.#database();
    const results = db.limited(setting(this.env.PAGEMARK_QUERY_STEPS, MOST_STEPS), () =>
      runQueries(db, queries, options),
    );
    const { tables, size } = measure(db);
    for (const { meta } of results) meta.size_after = size;
    this.#report(tables, size);
    return results;
  }

  /** The newest commit's bookmark. */
  async bookmark(): Promise<string> {
    return (await this.#database()).bookmark();
  }

  #database() {
    const { uuid } = this.#known;
    this.#live ??= new Live(this.ctx.storage, uuid, setting(this.env.PAGEMARK_HISTORY_HOURS, 24) * HOUR);
    return this.#live.database();
  }

  get #known(): Identity {
    if (this.#identity) return this.#identity;
    throw new PagemarkError("DATABASE_UNKNOWN", "there is no such database; it may have been deleted");
  }

  /** Tells the registry, soon, what lists show; once at a time, and the newest. */
  #report(tables: number, size: number): void {
    if (this.#reported?.tables === tables && this.#reported.size === size) return;
    this.#reported = { tables, size };
    this.#reporting ??= this.#tell().finally(() => {
      this.#reporting = undefined;
    });
    this.ctx.waitUntil(this.#reporting);
  }

  async #tell(): Promise<void> {
    let told: Size | undefined;
    while (told !== this.#reported) {
      told = this.#reported;
      if (told) await registry(this.env).report(this.#known.uuid, told.tables, told.size);
    }
  }
}
