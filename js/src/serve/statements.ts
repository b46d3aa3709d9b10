// Statements on the files: into and from the usual store as the API does it, and stores that a statement names where the
// server's owner allows that.
import { statSync } from "node:fs";
import { resolve, sep } from "node:path";
import type { Shown } from "../backups/backups.ts";
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { cutLocality, placesIn } from "../places/locality-url.ts";
import { openStore } from "../places/open-store.node.ts";
import { redacted } from "../places/secrets.ts";
import type { Service } from "../service/service.ts";
import { hostOf } from "../service/statement-host.ts";
import { file } from "../sources/file/file.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { SourceDatabase } from "../vault/source-database.ts";
import type {
  BackupMade,
  BackupRequest,
  RestoreDone,
  RestoreRequest,
  Schedules,
  StatementDatabase,
  StatementHost,
} from "../vault/statement-host.ts";
import type { ServedFile } from "./database.ts";
import type { FileDatabases } from "./files.ts";

/** Which stores statements may name. */
export interface AllowedStores {
  /** What these must begin with; none may be named where there are none. */
  stores: readonly string[];
  /** Where the server runs, for stores of several localities. */
  locality?: string | undefined;
}

export function statementsOn(
  service: Pick<Service, "databases">,
  databases: FileDatabases,
  store: Store,
  allowed: AllowedStores,
  schedules: Schedules,
): StatementHost {
  const own = hostOf(service);
  const made = async (each: StatementDatabase) =>
    new FileStatements(each, await databases.served(each.name), store);
  return {
    ...own,
    schedules,
    async *databases() {
      for await (const each of own.databases()) {
        const one = await made(each);
        // In an empty file there is nothing to back up yet.
        if (!one.isEmpty) yield one;
      }
    },
    database: async (name) => made(await own.database(name)),
    async create(name) {
      const path = databases.newPath(name);
      return new SourceDatabase(name, file(path), store);
    },
    ...(allowed.stores.length > 0 && { openStore: (urls: readonly string[]) => allowedStore(urls, allowed) }),
  };
}

class FileStatements implements StatementDatabase {
  readonly #own: StatementDatabase;
  readonly #served: ServedFile;
  /** The same file and the usual store, for what the API has no words for. */
  readonly #file: SourceDatabase;

  constructor(own: StatementDatabase, served: ServedFile, store: Store) {
    this.#own = own;
    this.#served = served;
    this.#file = new SourceDatabase(own.name, file(served.file.path), store);
  }

  get name(): string {
    return this.#own.name;
  }

  get isEmpty(): boolean {
    return statSync(this.#served.file.path, { throwIfNoEntry: false })?.size === 0;
  }

  describe() {
    return this.#own.describe();
  }

  /** By the API, which lists it as a job, unless the statement says more than that can. */
  async backup(request: BackupRequest, options: JobOptions): Promise<BackupMade> {
    const { store, timeMs, tables, tag, note, revisionHistory, full, automatic } = request;
    const isPlain = !store && !tables && timeMs === undefined && tag === undefined && note === undefined;
    if (isPlain && !revisionHistory)
      return { backup: await this.#served.backup({ full }, automatic), notices: [] };
    return this.#file.backup(request, options);
  }

  backups(store?: Store): Promise<readonly Backup[]> {
    return this.#file.backups(store);
  }

  partialBackups(): Promise<readonly Backup[]> {
    return this.#file.partialBackups();
  }

  show(at: string | undefined, store?: Store): Promise<Shown> {
    return this.#file.show(at, store);
  }

  restore(request: RestoreRequest, options: JobOptions): Promise<RestoreDone> {
    return this.#served.alone(() => this.#file.restore(request, options));
  }

  createCheckpoint() {
    return this.#served.createCheckpoint();
  }

  releaseCheckpoint() {
    return this.#served.releaseCheckpoint();
  }

  checkpoint() {
    return this.#served.checkpoint();
  }
}

/** @throws PagemarkError `STORE_DENIED` for a store, or one of several, that is not below one of `allowed` */
function allowedStore(urls: readonly string[], { stores, locality }: AllowedStores): Store {
  // Just as they will be opened: a text may name several, and a locality at its end may hide where it leads.
  const places = placesIn(urls);
  const isAllowed = (place: string) => stores.some((each) => isBelow(cutLocality(place).place, each));
  const denied = places.find((place) => !isAllowed(place));
  if (denied === undefined) return openStore(places, { locality });
  const message = `${redacted(denied)}: statements may not name this store; start the server with --allow-store for it`;
  throw new PagemarkError("STORE_DENIED", message);
}

const URL_LIKE = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Whether a store is `place` or in it. */
function isBelow(store: string, place: string): boolean {
  if (URL_LIKE.test(store) !== URL_LIKE.test(place)) return false;
  if (!URL_LIKE.test(store)) return `${resolve(store)}${sep}`.startsWith(`${resolve(place)}${sep}`);
  const [path = "", wanted] = [store.replace(/[?#].*/, ""), place.replace(/\/+$/, "")];
  return !/(^|\/)(\.|%2e){1,2}(\/|$)/i.test(path) && (path === wanted || path.startsWith(`${wanted}/`));
}
