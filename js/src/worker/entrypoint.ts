import { type RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { app } from "../api/app.ts";
import "../entry/vault.workerd.ts";
import { PagemarkError } from "../entry/workerd.ts";
import { checked, Text } from "../service/arguments.ts";
import { type OrphanedBackup, orphanedBackups, type Registered } from "../service/service.ts";
import { BoundDatabase } from "./bound-database.ts";
import { createDatabase, type Env, serviceOf } from "./databases.ts";
import { registry } from "./registry.ts";

/** What the binding of another Worker says: `props = { database = "shop" }`. */
export interface Props {
  /** The database that the binding is; made when it is first used. */
  database?: string;
}

export interface Entrypoint extends Omit<BoundDatabase, keyof RpcTarget> {}

/** What other Workers bind, and what HTTP reaches. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: its static block makes the methods that the interface has
export class Entrypoint extends WorkerEntrypoint<Env, Props> {
  // All that a database can do, a binding that names one can: `env.DB.backup()`.
  static {
    for (const name of Object.getOwnPropertyNames(BoundDatabase.prototype)) {
      if (name === "constructor") continue;
      const value = function (this: Entrypoint, ...args: unknown[]) {
        const method = Reflect.get(BoundDatabase.prototype, name) as (...args: unknown[]) => unknown;
        return method.apply(this.#bound, args);
      };
      Object.defineProperty(Entrypoint.prototype, name, { value, configurable: true, writable: true });
    }
  }

  override fetch(request: Request): Response | Promise<Response> {
    return app.fetch(request, serviceOf(this.env), this.ctx);
  }

  /** A database by its name or its UUID; of one that was deleted, by its UUID, there are the backups. */
  database(idOrName: string): BoundDatabase {
    return new BoundDatabase(this.env, idOrName, async () => {
      const text = checked(Text, idOrName, "the name of a database");
      const found = await registry(this.env).findBackedUp(text);
      if (found) return found.uuid;
      const shown = JSON.stringify(text.slice(0, 100));
      throw new PagemarkError("DATABASE_UNKNOWN", `there is no database ${shown}`);
    });
  }

  /** The backups of databases that were deleted: `database(backup.database.uuid)` has them. */
  async orphanedBackups(): Promise<OrphanedBackup[]> {
    const backups: OrphanedBackup[] = [];
    for await (const each of orphanedBackups(serviceOf(this.env).databases)) backups.push(each);
    return backups;
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
