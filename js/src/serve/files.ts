// All databases of a folder, as the API serves them.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Backups } from "../backups/backups.ts";
import { type Backup, databasesIn } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { unknownDatabase } from "../service/identity.ts";
import type { JobError } from "../service/jobs/table.ts";
import type {
  Databases,
  Deleted,
  ListOptions,
  Registered,
  Restored,
  ServedDatabase,
  Whereabouts,
} from "../service/service.ts";
import { replaceFile } from "../sources/file/replace.ts";
import { refuseIfOpen } from "../sources/file/takeover.ts";
import type { Store } from "../stores/store.ts";
import { ServedFile } from "./database.ts";
import { type DatabaseFile, DatabaseFolder, uuidOf } from "./folder.ts";
import type { FolderFiles } from "./job-files.ts";
import { Looks } from "./look.ts";
import { Processes } from "./processes.ts";
import { stateOf } from "./state.ts";

/** Processes that run SQL at most; each takes some 50 MB, and more while it works. */
const MOST_PROCESSES = Math.max(2, Math.min(4, availableParallelism()));
/** What the store has is asked again after so long, in milliseconds. */
const KNOWN_MS = 60_000;

export interface FilesOptions {
  folder: string;
  store: Store;
  files: FolderFiles;
  /** What URLs are signed with. */
  secret: Uint8Array;
  timeoutMs: number;
  log(line: string): void;
}

/** What came of the backups of one database, as far as this process knows. */
export interface BackupsKnown {
  /** The newest one; missing where there is none. */
  last?: { createdAt: string; origin: string };
  failures: number;
}

export class FileDatabases implements Databases {
  readonly #folder: DatabaseFolder;
  readonly #options: FilesOptions;
  readonly #processes = new Processes(MOST_PROCESSES);
  readonly #served = new Map<string, ServedFile>();
  readonly #looks = new Looks();
  readonly #backups = new Map<string, BackupsKnown & { askedMs: number }>();

  constructor(options: FilesOptions) {
    this.#options = options;
    this.#folder = new DatabaseFolder(options.folder, options.log);
  }

  async find(idOrName: string): Promise<Registered | null> {
    const found = await this.#folder.find(idOrName);
    return found ? { ...identityOf(found), tables: 0, size: 0 } : null;
  }

  async findBackedUp(idOrName: string): Promise<Registered | Deleted | null> {
    const found = await this.find(idOrName);
    return found ?? (await this.#deleted()).find(({ uuid }) => uuid === idOrName) ?? null;
  }

  async list({ name, page, perPage }: ListOptions): Promise<{ databases: Registered[]; total: number }> {
    const all = await this.#folder.all();
    const named = name === undefined ? all : all.filter((each) => each.name.includes(name));
    const shown = named.slice((page - 1) * perPage, page * perPage);
    const databases = await Promise.all(shown.map((each) => this.#registered(each)));
    return { databases, total: named.length };
  }

  /** Those that the store has backups of, and the folder no file. */
  async listDeleted({ page, perPage }: ListOptions): Promise<{ databases: Deleted[]; total: number }> {
    const all = await this.#deleted();
    return { databases: all.slice((page - 1) * perPage, page * perPage), total: all.length };
  }

  async create(name: string, { jurisdiction, location }: Whereabouts = {}): Promise<Registered> {
    if (jurisdiction || location) {
      throw new PagemarkError(
        "USAGE",
        "these databases are files in a folder: leave jurisdiction and primary_location_hint out",
      );
    }
    const made = await this.#folder.create(name);
    return { ...identityOf(made), tables: 0, size: 0 };
  }

  /** After a last backup, so that it can be had again. */
  async delete({ uuid }: Registered): Promise<void> {
    const found = await this.#folder.find(uuid);
    if (!found) throw unknownDatabase();
    const served = this.open(uuid) as ServedFile;
    await served.backup().catch((error) => {
      // There is nothing in it.
      if ((error as PagemarkError).code !== "DATABASE_EMPTY") throw error;
    });
    this.#served.delete(uuid);
    await served.close(unknownDatabase());
    refuseIfOpen(found.path);
    await this.#folder.remove(found);
    await this.#options.files.deleteOf(uuid);
  }

  async restoreToNew(
    uuid: string,
    at: string | undefined,
    name: string,
  ): Promise<Restored & { uuid: string; name: string }> {
    const source = await this.findBackedUp(uuid);
    if (!source) throw unknownDatabase();
    const path = this.#folder.newPath(name);
    const backups = await Backups.open(source.name, this.#options.store);
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const { body, backup } = await backups.download(at, { onWarning });
    await replaceFile(path, body, { ownsChunks: true });
    const bookmark = backup?.bookmark ?? stateOf(path);
    return {
      bookmark,
      undo: bookmark,
      uuid: uuidOf(name),
      name,
      ...(warnings.length > 0 && { warnings }),
    };
  }

  /** The file of a UUID, which was found just now; of one that was deleted there are the backups. */
  open(uuid: string): ServedDatabase {
    const name = this.#folder.nameOf(uuid);
    if (name === undefined) throw unknownDatabase();
    const known = this.#served.get(uuid);
    if (known) return known;
    const { path } = this.#folder;
    const file = this.#folder.at(name) ?? { uuid, name, path: join(path, `${name}.db`), createdAt: "" };
    const served = new ServedFile(file, {
      store: this.#options.store,
      files: this.#options.files,
      processes: this.#processes,
      looks: this.#looks,
      timeoutMs: this.#options.timeoutMs,
      log: (what: string, { code, message }: JobError) =>
        this.#options.log(`database ${JSON.stringify(name)}: ${what} failed: ${code}: ${message}`),
      onBackup: (name, backup, error) => this.#heard(name, backup, error),
    });
    this.#served.set(uuid, served);
    return served;
  }

  /** The file of a name that was found just now. */
  async served(name: string): Promise<ServedFile> {
    const found = await this.#folder.find(name);
    if (!found) throw unknownDatabase();
    return this.open(found.uuid) as ServedFile;
  }

  /** Where a new database would be. @throws PagemarkError `NAME_INVALID`, `DATABASE_EXISTS` */
  newPath(name: string): string {
    return this.#folder.newPath(name);
  }

  async on<T>(
    _idOrName: string,
    lookUp: () => Promise<string>,
    action: (database: ServedDatabase) => Promise<T>,
  ): Promise<T> {
    return action(this.open(await lookUp()));
  }

  async secret(): Promise<Uint8Array> {
    return this.#options.secret;
  }

  /** Every database with what is known of its backups; the store is asked where that was long ago. */
  async status(): Promise<{ name: string; size: number; backups: BackupsKnown }[]> {
    const all = await this.#folder.all();
    return Promise.all(
      all.map(async (each) => {
        const [{ size }, backups] = await Promise.all([
          this.#looks.at(each.path),
          this.#backupsOf(each.name),
        ]);
        return { name: each.name, size, backups };
      }),
    );
  }

  async close(): Promise<void> {
    const error = new PagemarkError("OVERLOADED", "the server is being stopped; try again when it is up");
    await Promise.all(Array.from(this.#served.values(), (each) => each.close(error)));
    this.#processes.close();
  }

  async #registered(file: DatabaseFile): Promise<Registered> {
    const { tables, size } = await this.#looks.at(file.path);
    const last = this.#backups.get(file.name)?.last;
    return {
      ...identityOf(file),
      tables: tables.length,
      size,
      ...(last && { lastBackupAt: last.createdAt, lastBackupOrigin: last.origin }),
    };
  }

  async #backupsOf(name: string): Promise<BackupsKnown> {
    const known = this.#backups.get(name);
    if (known && Date.now() - known.askedMs < KNOWN_MS) return known;
    const backups = await Backups.open(name, this.#options.store);
    const newest = (await backups.list().catch(() => [])).find(({ state }) => state === "done");
    this.#heard(name, newest);
    return this.#backups.get(name) ?? { failures: 0 };
  }

  #heard(name: string, backup: Backup | undefined, error?: unknown): void {
    const { last, failures = 0 } = this.#backups.get(name) ?? {};
    const origin = backup?.safety ? "restore" : backup?.automatic ? "automatic" : "manual";
    const newest = backup ? { createdAt: backup.createdAt, origin } : last;
    this.#backups.set(name, {
      failures: failures + (error === undefined ? 0 : 1),
      askedMs: Date.now(),
      ...(newest && { last: newest }),
    });
  }

  async #deleted(): Promise<Deleted[]> {
    const [stored, files] = await Promise.all([databasesIn(this.#options.store), this.#folder.all()]);
    const there = new Set(files.map(({ name }) => name));
    const gone = stored.map(({ name }) => name).filter((name) => !there.has(name));
    const deleted = await Promise.all(
      gone.map(async (name): Promise<Deleted> => {
        const { last } = await this.#backupsOf(name);
        const at = last?.createdAt ?? new Date(0).toISOString();
        const uuid = uuidOf(name);
        this.#folder.nameOf(uuid, [name]);
        // When a file went nobody notes down: no earlier than its last backup.
        return { uuid, name, createdAt: at, deletedAt: at };
      }),
    );
    return deleted.sort((a, b) => (a.deletedAt < b.deletedAt ? 1 : -1));
  }
}

function identityOf({ uuid, name, createdAt }: DatabaseFile) {
  return { uuid, name, createdAt };
}
