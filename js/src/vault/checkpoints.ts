// Who holds a database's files for `CHECKPOINT CREATE`.
import { PagemarkError } from "../errors/index.ts";
import type { HeldFiles, PageSource } from "../sources/source.ts";
import type { CheckpointFacts } from "./statement-host.ts";

/** Holds databases, so that their files can be copied by other means while writes go on. */
export interface Checkpoints {
  /** @throws PagemarkError `CHECKPOINT_EXISTS`; what keeps the database from being held */
  create(name: string, source: PageSource): Promise<CheckpointFacts>;
  /** @throws PagemarkError `CHECKPOINT_NONE` */
  release(name: string, source: PageSource): Promise<CheckpointFacts>;
  status(name: string, source: PageSource): Promise<CheckpointFacts | undefined>;
}

/** So that a client that died does not let a log grow for ever, in milliseconds. */
const LEASE_MS = 15 * 60_000;

/** Checkpoints that this process holds, as long as it runs. */
export class OwnCheckpoints implements Checkpoints {
  readonly #held = new Map<string, HeldFiles>();

  async create(name: string, source: PageSource): Promise<CheckpointFacts> {
    if (this.#held.has(name)) throw exists(name);
    if (!source.checkpoint) {
      const message = `${name}: this database has no files that could be copied; back it up instead`;
      throw new PagemarkError("STATEMENT_UNSUPPORTED", message, { name });
    }
    const held = await source.checkpoint({ leaseMs: LEASE_MS, keepsProcess: false });
    if (held.status().mode === "rollback" || this.#held.has(name)) {
      await held.release();
      if (this.#held.has(name)) throw exists(name);
      // Only with a WAL is what others commit meanwhile kept apart.
      const message = `${name}: only a database in WAL mode can be held while others write; make a backup instead, or set PRAGMA journal_mode=WAL`;
      throw new PagemarkError("USAGE", message, { name });
    }
    this.#held.set(name, held);
    void held.ended.then(() => {
      if (this.#held.get(name) === held) this.#held.delete(name);
    });
    return factsOf(held);
  }

  async release(name: string): Promise<CheckpointFacts> {
    const held = this.#held.get(name);
    if (!held) {
      const message = `${name}: there is no checkpoint; it may have expired`;
      throw new PagemarkError("CHECKPOINT_NONE", message, { name });
    }
    const facts = factsOf(held);
    await held.release();
    return facts;
  }

  async status(name: string): Promise<CheckpointFacts | undefined> {
    const held = this.#held.get(name);
    return held && factsOf(held);
  }
}

function factsOf(held: HeldFiles): CheckpointFacts {
  const { since, until, files } = held.status();
  return { createdAt: since.toISOString(), expiresAt: until.toISOString(), files: files.join(", ") };
}

function exists(name: string): PagemarkError {
  const message = `${name}: there is a checkpoint already; release it first`;
  return new PagemarkError("CHECKPOINT_EXISTS", message, { name });
}
