import { type RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import type { WireRequest } from "../client/wire.ts";
import { PagemarkError } from "../entry/workerd.ts";
import { app } from "./api/app.ts";
import { checkText } from "./arguments.ts";
import { BoundDatabase } from "./bound-database.ts";
import type { CreateOptions } from "./database/backups.ts";
import type { DownloadOptions, DumpOptions } from "./database/downloads.ts";
import type { RestoreOptions } from "./database/restores.ts";
import { type Env, registry } from "./env.ts";
import { createDatabase } from "./life.ts";
import { type OrphanedBackup, orphanedBackups } from "./orphans.ts";
import type { Registered } from "./registry.ts";

/** What the binding of another Worker says: `props = { database = "shop" }`. */
export interface Props {
  /** The database that the binding is; made when it is first used. */
  database?: string;
}

/** All that a database can do, a binding can. */
type Bound = Omit<BoundDatabase, keyof RpcTarget>;

/** What other Workers bind, and what HTTP reaches. */
export class Entrypoint extends WorkerEntrypoint<Env, Props> implements Bound {
  override fetch(request: Request): Response | Promise<Response> {
    return app.fetch(request, this.env, this.ctx);
  }

  /** A database by its name or its UUID; of one that was deleted, by its UUID, there are the backups. */
  database(idOrName: string): BoundDatabase {
    return new BoundDatabase(this.env, idOrName, async () => {
      const text = checkText(idOrName, "the name of a database");
      const found = await registry(this.env).findBackedUp(text);
      if (found) return found.uuid;
      const shown = JSON.stringify(text.slice(0, 100));
      throw new PagemarkError("DATABASE_UNKNOWN", `there is no database ${shown}`);
    });
  }

  /** The backups of databases that were deleted: `database(backup.database.uuid)` has them. */
  async orphanedBackups(): Promise<OrphanedBackup[]> {
    const backups: OrphanedBackup[] = [];
    for await (const each of orphanedBackups(this.env)) backups.push(each);
    return backups;
  }

  // The rest is about the database that the binding names: `env.DB.backup()`.
  prepare(sql: string) {
    return this.#bound.prepare(sql);
  }
  batch(statements: Parameters<BoundDatabase["batch"]>[0]) {
    return this.#bound.batch(statements);
  }
  exec(sql: string) {
    return this.#bound.exec(sql);
  }
  withSession(constraintOrBookmark?: string) {
    return this.#bound.withSession(constraintOrBookmark);
  }
  d1(request: WireRequest) {
    return this.#bound.d1(request);
  }
  backup(options?: CreateOptions) {
    return this.#bound.backup(options);
  }
  backups() {
    return this.#bound.backups();
  }
  deleteBackup(id: string) {
    return this.#bound.deleteBackup(id);
  }
  restore(options?: RestoreOptions & { to?: string }) {
    return this.#bound.restore(options);
  }
  download(id?: string, options?: DownloadOptions) {
    return this.#bound.download(id, options);
  }
  dump(options?: DumpOptions) {
    return this.#bound.dump(options);
  }
  compact() {
    return this.#bound.compact();
  }
  bookmark() {
    return this.#bound.bookmark();
  }
  bookmarkAt(at: string | Date) {
    return this.#bound.bookmarkAt(at);
  }
  verify(id?: string) {
    return this.#bound.verify(id);
  }
  jobs() {
    return this.#bound.jobs();
  }
  cancelJob(id: string) {
    return this.#bound.cancelJob(id);
  }
  info() {
    return this.#bound.info();
  }

  /** The database that the binding names. @throws PagemarkError `USAGE` when it names none */
  get #bound(): BoundDatabase {
    const { database } = this.ctx.props ?? {};
    return new BoundDatabase(this.env, database ?? "", async () => {
      if (!database) {
        const message =
          'the binding names no database: give it props = { database = "<name>" }, or call database(name)';
        throw new PagemarkError("USAGE", message);
      }
      return (await findOrCreate(this.env, database)).uuid;
    });
  }
}

async function findOrCreate(env: Env, name: string): Promise<Registered> {
  const found = await registry(env).find(name);
  if (found) return found;
  try {
    return await createDatabase(env, name);
  } catch (error) {
    // Another first use may have been faster.
    const made = await registry(env).find(name);
    if (made) return made;
    throw error;
  }
}
