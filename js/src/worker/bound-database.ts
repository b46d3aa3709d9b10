import { RpcTarget } from "cloudflare:workers";
import type { WireFailure, WireReply, WireRequest, WireResult } from "../client/wire.ts";
import { PagemarkError, type Verification } from "../entry/workerd.ts";
import { checked, OptionalText, RestoreTo } from "../service/arguments.ts";
import type { Job } from "../service/jobs/table.ts";
import type {
  CreateOptions,
  DownloadOptions,
  DumpOptions,
  Query,
  RestoreOptions,
} from "../service/options.ts";
import {
  type D1Answer,
  type DatabaseInfo,
  type Download,
  d1Answer,
  type QueryResult,
  type Restored,
} from "../service/service.ts";
import type { Deletion, KeptBackup } from "../vault/kept-backups.ts";
import { type BatchItem, BoundSession, BoundStatement, describedAll } from "./bound.ts";
import { databaseObject, type Env, onDatabase, restoreToNew } from "./databases.ts";

/** A database, as another Worker has it: SQL in D1's shape, and what D1 has not. */
export class BoundDatabase extends RpcTarget {
  readonly #env: Env;
  readonly #idOrName: string;
  readonly #uuid: () => Promise<string>;

  /** `uuid` finds the database; it is asked at every call but those of SQL, because databases come and go. */
  constructor(env: Env, idOrName: string, uuid: () => Promise<string>) {
    super();
    this.#env = env;
    this.#idOrName = idOrName;
    this.#uuid = uuid;
  }

  prepare(sql: string): BoundStatement {
    return new BoundStatement(async (query) => one(await this.#query([query])), { sql });
  }

  /** Runs statements in one transaction: prepared ones, once they have arrived, or SQL with parameters. */
  async batch(statements: readonly BatchItem[]): Promise<D1Answer[]> {
    const queries = await describedAll(statements);
    return (await this.#query(queries)).map(d1Answer);
  }

  /** Runs a script in one transaction. */
  async exec(sql: string): Promise<{ count: number; duration: number }> {
    const results = await this.#query([{ sql }]);
    return { count: results.length, duration: 0 };
  }

  /** A session that begins with any state, or not before that of a bookmark. */
  withSession(constraintOrBookmark?: string): BoundSession {
    const wanted = checked(OptionalText, constraintOrBookmark, "what a session begins with")?.trim();
    const bookmark = !wanted || /^first-(primary|unconstrained)$/.test(wanted) ? undefined : wanted;
    return new BoundSession((request) => this.#d1(request), bookmark);
  }

  /** What `d1Database` of `pagemark/client` sends. Failures are data: see {@link WireFailure}. */
  async d1(request: WireRequest): Promise<WireReply> {
    try {
      return await this.#d1(request);
    } catch (error) {
      const { message, code, sqlite, at, query } = error as PagemarkError & Partial<WireFailure>;
      if (code === undefined) throw error;
      return { failure: { message, code, sqlite, at, query } };
    }
  }

  /** Makes a backup; resolves when it is stored. */
  async backup(options: CreateOptions = {}): Promise<KeptBackup> {
    return (await this.#object()).backup(options);
  }

  /** Every backup that is kept, newest first. */
  async backups(): Promise<KeptBackup[]> {
    return (await this.#object()).backups();
  }

  /** Deletes a backup; what others are made of it stays till they are gone. */
  async deleteBackup(id: string): Promise<Deletion> {
    return (await this.#object()).deleteBackup(id);
  }

  /**
   * Puts an earlier state in the place of this one: a backup, or what history still has. With `to` a backup becomes a new
   * database of that name, and this one stays as it is.
   */
  async restore(
    options: RestoreOptions & { to?: string } = {},
  ): Promise<Restored & { uuid?: string; name?: string }> {
    const { to, ...inPlace } = checked(RestoreTo, options, "the options");
    if (to === undefined) return (await this.#object()).restore(inPlace);
    return restoreToNew(this.#env, await this.#uuid(), checked(OptionalText, inPlace.at, "at"), to);
  }

  /** A backup as a SQLite file; without an id the database as it is now. */
  async download(id?: string, options?: DownloadOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#body((await this.#object()).download(id, options));
  }

  /** A state as SQL, the newest unless `at` is given. */
  async dump(options: DumpOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return this.#body((await this.#object()).dump(options));
  }

  /** A copy without free space, as a SQLite file. */
  async compact(): Promise<ReadableStream<Uint8Array>> {
    return this.#body((await this.#object()).compact());
  }

  /** The newest commit's bookmark. */
  async bookmark(): Promise<string> {
    return (await this.#object()).bookmark();
  }

  /** The bookmark of the state that the database was in at a time. */
  async bookmarkAt(at: string | Date): Promise<string> {
    return (await this.#object()).bookmarkAt(at);
  }

  /** Proves what is stored, of one backup or of all. */
  async verify(id?: string): Promise<Verification> {
    return (await this.#object()).verify(id);
  }

  /** What is under way, and what ended during the last day. */
  async jobs(): Promise<Job[]> {
    return (await this.#object()).jobs();
  }

  /** Ends one that is under way: its caller gets an error with the code `CANCELED`, and nothing has changed. */
  async cancelJob(id: string): Promise<void> {
    await (await this.#object()).cancelJob(id);
  }

  async info(): Promise<DatabaseInfo> {
    return (await this.#object()).info();
  }

  #query(queries: readonly Query[]): Promise<QueryResult[]> {
    return onDatabase(this.#env, this.#idOrName, this.#uuid, (object) => object.query(queries));
  }

  #d1(request: WireRequest): Promise<{ results: WireResult[]; bookmark: string }> {
    return onDatabase(this.#env, this.#idOrName, this.#uuid, (object) => object.d1(request));
  }

  async #object() {
    return databaseObject(this.#env, await this.#uuid());
  }

  async #body(download: Promise<Download>): Promise<ReadableStream<Uint8Array>> {
    return (await download).body;
  }
}

function one<T>(items: readonly T[]): T {
  const [first] = items;
  if (items.length === 1 && first !== undefined) return first;
  throw new PagemarkError("USAGE", "a prepared statement is one statement; exec() runs several");
}
