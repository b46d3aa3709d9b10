// A database of a vault, as statements work with it: a source, and the usual store.
import { Backups, type Shown } from "../backups/backups.ts";
import { Database } from "../backups/database.ts";
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { readTables, type Table } from "../moments/tables.ts";
import type { PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import { type Checkpoints, OwnCheckpoints } from "./checkpoints.ts";
import type {
  BackupMade,
  BackupRequest,
  CheckpointFacts,
  RestoreDone,
  RestoreRequest,
  Row,
  StatementDatabase,
} from "./statement-host.ts";

export class SourceDatabase implements StatementDatabase {
  readonly name: string;
  readonly #source: PageSource;
  readonly #store: Store | undefined;
  readonly #checkpoints: Checkpoints;

  constructor(
    name: string,
    source: PageSource,
    store: Store | undefined,
    checkpoints: Checkpoints = new OwnCheckpoints(),
  ) {
    this.name = name;
    this.#source = source;
    this.#store = store;
    this.#checkpoints = checkpoints;
  }

  async describe(): Promise<Row> {
    const [newest] = this.#store ? await this.backups() : [];
    return { name: this.name, lastBackupAt: newest?.createdAt ?? null, size: newest?.size ?? null };
  }

  async backup(request: BackupRequest, options: JobOptions): Promise<BackupMade> {
    const { full, timeMs, tables, revisionHistory, tag, note, automatic = false } = request;
    const store = this.#storeOf(request.store);
    const source = timeMs === undefined ? this.#source : asOf(this.#source, this.name, timeMs);
    const hasHistory = !revisionHistory || (await this.#isWatched(store));
    const backup = await new Database(source, this.name, store).backup({
      ...options,
      full,
      tables,
      automatic,
      ...(tag !== undefined && { tag }),
      ...(note !== undefined && { note }),
    });
    const unwatched = `${this.name}: of this backup only its own moment can be restored, as nothing watches the database: run pagemark watch, or CREATE SCHEDULE … WITH revision_history`;
    return {
      backup,
      fullBecause: backup.fullBecause,
      notices: [...(hasHistory ? [] : [unwatched]), ...backup.warnings],
    };
  }

  async backups(store?: Store): Promise<readonly Backup[]> {
    return (await Backups.open(this.name, this.#storeOf(store))).list();
  }

  async partialBackups(): Promise<readonly Backup[]> {
    return (await Backups.open(this.name, this.#storeOf(undefined))).partial();
  }

  async show(at: string | undefined, store?: Store): Promise<Shown> {
    return (await Backups.open(this.name, this.#storeOf(store))).show(at);
  }

  async restore(request: RestoreRequest, options: JobOptions): Promise<RestoreDone> {
    const { from = this.name, at, tables, safety } = request;
    const store = this.#storeOf(request.store);
    const replaced = request.store && (await this.#replacedIn(request.store));
    const database = new Database(this.#source, from, store, replaced);
    const notices: string[] = [];
    const restored = await database.restore({
      ...options,
      safety,
      onWarning: (message) => void notices.push(message),
      ...(at !== undefined && { at }),
      ...(tables && { tables: [...tables] }),
    });
    const { backup, note } = restored;
    let { undo } = restored;
    if (note !== undefined) notices.push(note);
    if (undo !== undefined && replaced && replaced.name !== this.name) {
      notices.push(`${this.name}: what was there is backed up as ${replaced.name} in ${store.description}`);
      // Among the database's own backups nothing has that bookmark.
      undo = undefined;
    }
    return { backup, undo, tables: restored.tables ?? (await this.#tables()), notices };
  }

  createCheckpoint(): Promise<CheckpointFacts> {
    return this.#checkpoints.create(this.name, this.#source);
  }

  releaseCheckpoint(): Promise<CheckpointFacts> {
    return this.#checkpoints.release(this.name, this.#source);
  }

  checkpoint(): Promise<CheckpointFacts | undefined> {
    return this.#checkpoints.status(this.name, this.#source);
  }

  /**
   * Where the database is backed up before a backup of another store replaces it. Among the backups there a further one would
   * stand in the way of those that are incremental from them elsewhere.
   */
  #replacedIn(store: Store): Promise<Backups> {
    return this.#store ? Backups.open(this.name, this.#store) : Backups.open(`${this.name}.replaced`, store);
  }

  #storeOf(store: Store | undefined): Store {
    const used = store ?? this.#store;
    if (used) return used;
    const message = `${this.name}: say where its backups are: TO '…', FROM '…', IN '…'; there is no usual store`;
    throw new PagemarkError("USAGE", message, { name: this.name });
  }

  /** Whether states after the newest backup are in the store, as only a watch stores them. */
  async #isWatched(store: Store): Promise<boolean> {
    const backups = await Backups.open(this.name, store);
    const [newest] = await backups.list();
    const last = newest && (await backups.state("latest").catch(() => undefined));
    return last !== undefined && last.txid !== newest?.txid;
  }

  /** The tables that are there now; none where the source cannot tell. */
  async #tables(): Promise<Table[]> {
    const moment = await this.#source.pin();
    try {
      const { pageSize, pageCount } = moment;
      const read = async (pgno: number) => {
        const page = new Uint8Array(pageSize);
        await moment.read(pgno, page);
        return page;
      };
      return await readTables(read, pageCount, true);
    } finally {
      await moment.release();
    }
  }
}

/** The same source, for as long as it is as it was at that time. */
function asOf(source: PageSource, name: string, timeMs: number): PageSource {
  const at = new Date(timeMs).toISOString();
  if (timeMs > Date.now()) {
    throw new PagemarkError("TIME_AFTER_LAST", `${name}: ${at} is yet to come`, { name });
  }
  return {
    name: source.name,
    async pin(options) {
      const moment = await source.pin(options);
      // After the pin: whatever was committed before the moment has left its trace.
      const changed = source.changedMs?.();
      if (changed !== undefined && changed <= timeMs) return moment;
      await moment.release();
      const when = changed === undefined ? "" : ` at ${new Date(changed).toISOString()}`;
      const message = `${name} has changed since ${at}${when}, and keeps no history to back up from: leave AS OF SYSTEM TIME out; of a database that is watched (pagemark watch), RESTORE … AS OF SYSTEM TIME '${at}' has that state`;
      throw new PagemarkError("HISTORY_UNKNOWN", message, { name });
    },
  };
}
