// A database of a vault, as statements work with it: a source, and the usual store.
import { Backups, type Shown } from "../backups/backups.ts";
import { Database } from "../backups/database.ts";
import type { Backup } from "../catalog/folder.ts";
import { PagemarkError } from "../errors/index.ts";
import { readTables, type Table } from "../moments/tables.ts";
import type { Moment, PageSource } from "../sources/source.ts";
import type { Store } from "../stores/store.ts";
import type { JobOptions } from "../streams/progress.ts";
import type {
  BackupMade,
  BackupRequest,
  CheckpointFacts,
  RestoreDone,
  RestoreRequest,
  Row,
  StatementDatabase,
} from "./statement-host.ts";

/** Moments that are held, by the names of their databases. */
export type Checkpoints = Map<string, { moment: Moment; facts: CheckpointFacts; timer: unknown }>;

/** So that a client that died does not hold writers' log for ever, in milliseconds. */
const LEASE_MS = 15 * 60_000;

export class SourceDatabase implements StatementDatabase {
  readonly name: string;
  readonly #source: PageSource;
  readonly #store: Store | undefined;
  readonly #checkpoints: Checkpoints;

  /** @param checkpoints those of all databases of the vault */
  constructor(name: string, source: PageSource, store: Store | undefined, checkpoints: Checkpoints) {
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
    const { full, timeMs, tables, revisionHistory, tag, note } = request;
    if (tables) throw tablesUnsupported();
    const store = this.#storeOf(request.store);
    const source = timeMs === undefined ? this.#source : asOf(this.#source, this.name, timeMs);
    const hasHistory = !revisionHistory || (await this.#isWatched(store));
    const backup = await new Database(source, this.name, store).backup({
      ...options,
      full,
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

  async show(at: string | undefined, store?: Store): Promise<Shown> {
    return (await Backups.open(this.name, this.#storeOf(store))).show(at);
  }

  async restore(request: RestoreRequest, options: JobOptions): Promise<RestoreDone> {
    const { from = this.name, at, tables, safety } = request;
    const database = new Database(this.#source, from, this.#storeOf(request.store));
    const notices: string[] = [];
    const restored = await database.restore({
      ...options,
      safety,
      onWarning: (message) => void notices.push(message),
      ...(at !== undefined && { at }),
      ...(tables && { tables: [...tables] }),
    });
    const { backup, undo, note } = restored;
    if (note !== undefined) notices.push(note);
    return { backup, undo, tables: restored.tables ?? (await this.#tables()), notices };
  }

  async createCheckpoint(): Promise<CheckpointFacts> {
    if (this.#checkpoints.has(this.name)) {
      const message = `${this.name}: there is a checkpoint already; release it first`;
      throw new PagemarkError("CHECKPOINT_EXISTS", message, { name: this.name });
    }
    const now = Date.now();
    const facts: CheckpointFacts = {
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + LEASE_MS).toISOString(),
    };
    const moment = await this.#source.pin();
    // Only then is there a WAL that holds what is committed meanwhile.
    if (moment.mark === undefined || this.#checkpoints.has(this.name)) {
      await moment.release();
      const message = `${this.name}: only a database in WAL mode, which a program has open, can be held while others write; make a backup instead, or set PRAGMA journal_mode=WAL`;
      throw new PagemarkError("USAGE", message, { name: this.name });
    }
    const timer = setTimeout(() => void this.releaseCheckpoint().catch(() => {}), LEASE_MS);
    // In Node, a timer would keep the process from ending.
    if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
    this.#checkpoints.set(this.name, { moment, facts, timer });
    return facts;
  }

  async releaseCheckpoint(): Promise<CheckpointFacts> {
    const held = this.#checkpoints.get(this.name);
    if (!held) {
      const message = `${this.name}: there is no checkpoint; it may have expired`;
      throw new PagemarkError("CHECKPOINT_NONE", message, { name: this.name });
    }
    this.#checkpoints.delete(this.name);
    clearTimeout(held.timer as Parameters<typeof clearTimeout>[0]);
    await held.moment.release();
    return held.facts;
  }

  async checkpoint(): Promise<CheckpointFacts | undefined> {
    return this.#checkpoints.get(this.name)?.facts;
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

function tablesUnsupported(): PagemarkError {
  const message = "tables are not backed up or restored by statements yet: back up the database they are in";
  return new PagemarkError("STATEMENT_UNSUPPORTED", message);
}
