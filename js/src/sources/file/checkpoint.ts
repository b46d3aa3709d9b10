// A checkpoint: a database's files stay fit to be copied by other means, while it is in use.
import { checkOptions, checkText, PagemarkError } from "../../errors/index.ts";
import type { CheckpointOptions, CheckpointStatus, HeldFiles } from "../source.ts";
import { OpenDatabase, type Reader } from "./database.ts";
import { busy, fileError } from "./errors.ts";
import { realPath } from "./handle.ts";
import { openReader } from "./reader.ts";

const LEASE_MS = 600_000;
const BUSY_TIMEOUT_MS = 10_000;

/**
 * Holds a database so that a copy of its files, made by whatever copies files, is the database as it was at one moment: a read
 * transaction. In WAL mode writers go on. What they write stays in the WAL, which grows, until it is released: pages that a checkpoint of
 * SQLite writes into the main file meanwhile are in the WAL, too, and the WAL does not begin anew.
 *
 * @throws SourceError `SOURCE_BUSY`, `SOURCE_MISSING`; PagemarkError `RUNTIME_UNSUPPORTED`
 * @example
 * ```ts
 * import { checkpoint } from "pagemark";
 * const held = await checkpoint("app.db", { leaseMs: 60_000 });
 * // … copy held.status().files …
 * await held.release();
 * ```
 */
export async function checkpoint(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const {
    leaseMs = LEASE_MS,
    busyTimeoutMs = BUSY_TIMEOUT_MS,
    keepsProcess = true,
    signal,
  } = checkOptions(options);
  checkText(path, "path");
  if (!(Number.isFinite(leaseMs) && leaseMs > 0 && leaseMs <= 2 ** 31 - 1))
    throw new PagemarkError("USAGE", `leaseMs must be above 0 and at most ${2 ** 31 - 1}, not ${leaseMs}`);
  try {
    const database = await OpenDatabase.open(realPath(path), busyTimeoutMs);
    let reader: Reader | undefined;
    try {
      reader = await openReader(database);
      if (!reader) {
        const message = "a checkpoint takes node:sqlite, which this runtime lacks; use Node, or the command";
        throw new PagemarkError("RUNTIME_UNSUPPORTED", message);
      }
      await reader.begin(signal);
      if (!database.isAsOpened()) throw busy(path, 0);
      return new Checkpoint(database, reader, { leaseMs, keepsProcess });
    } catch (error) {
      await reader?.close();
      database.main.close();
      throw error;
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

/** A checkpoint that is held until {@link Checkpoint.release}, or until its lease ends. */
export class Checkpoint implements HeldFiles {
  readonly ended: Promise<"released" | "expired" | "lost">;
  readonly #database: OpenDatabase;
  readonly #reader: Reader;
  readonly #keepsProcess: boolean;
  readonly #since = new Date();
  #until: Date;
  #timer: NodeJS.Timeout | undefined;
  #end: (how: "released" | "expired" | "lost") => void = () => {};
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    database: OpenDatabase,
    reader: Reader,
    { leaseMs, keepsProcess }: { leaseMs: number; keepsProcess: boolean },
  ) {
    this.#database = database;
    this.#reader = reader;
    this.#keepsProcess = keepsProcess;
    this.#until = this.#startLease(leaseMs);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  status(): CheckpointStatus {
    const { path, isWal } = this.#database;
    const files = isWal ? [path, `${path}-wal`] : [path];
    return { path, mode: isWal ? "wal" : "rollback", files, since: this.#since, until: this.#until };
  }

  /** Holds it for so long from now on, in milliseconds. */
  renew(leaseMs: number): void {
    if (this.#closing !== undefined)
      throw new PagemarkError("CHECKPOINT_NONE", "the checkpoint is held no more; create it again");
    this.#until = this.#startLease(leaseMs);
  }

  /**
   * Lets go. Idempotent.
   *
   * @throws PagemarkError `CHECKPOINT_NONE` when it was held no more: what was copied since may be no database
   */
  async release(): Promise<void> {
    await this.#close("released");
    if ((await this.ended) === "released") return;
    const message = `${this.#database.path}: the checkpoint was held no more when it was released; what was copied may be no database: copy again, with a longer lease`;
    throw new PagemarkError("CHECKPOINT_NONE", message, { name: this.#database.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close("released");
  }

  #startLease(leaseMs: number): Date {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#close("expired").catch(() => {}), leaseMs);
    if (!this.#keepsProcess) this.#timer.unref();
    return new Date(Date.now() + leaseMs);
  }

  #close(how: "released" | "expired"): Promise<void> {
    this.#closing ??= this.#closeOnce(how);
    return this.#closing;
  }

  async #closeOnce(how: "released" | "expired"): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const wasThere = await this.#reader.close();
      this.#end(wasThere ? how : "lost");
    } finally {
      this.#database.main.close();
    }
  }
}
