// Who holds a database's files for `CHECKPOINT CREATE`.
import { PagemarkError } from "../errors/index.ts";
import type { Moment, PageSource } from "../sources/source.ts";
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

interface Held {
  moment: Moment;
  facts: CheckpointFacts;
  timer: ReturnType<typeof setTimeout>;
}

/** Checkpoints that this process holds, as long as it runs. */
export class OwnCheckpoints implements Checkpoints {
  readonly #held = new Map<string, Held>();

  async create(name: string, source: PageSource): Promise<CheckpointFacts> {
    if (this.#held.has(name)) throw exists(name);
    const moment = await source.pin();
    if (moment.mark === undefined || this.#held.has(name)) {
      await moment.release();
      if (this.#held.has(name)) throw exists(name);
      // Only with a WAL is what others commit meanwhile kept apart.
      const message = `${name}: only a database in WAL mode that a program has open, and has written to, can be held while others write; make a backup instead, or set PRAGMA journal_mode=WAL`;
      throw new PagemarkError("USAGE", message, { name });
    }
    const now = Date.now();
    const facts: CheckpointFacts = {
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + LEASE_MS).toISOString(),
    };
    const timer = setTimeout(() => void this.release(name).catch(() => {}), LEASE_MS);
    // In Node, a timer would keep the process from ending.
    (timer as { unref?(): void }).unref?.();
    this.#held.set(name, { moment, facts, timer });
    return facts;
  }

  async release(name: string): Promise<CheckpointFacts> {
    const held = this.#held.get(name);
    if (!held) {
      const message = `${name}: there is no checkpoint; it may have expired`;
      throw new PagemarkError("CHECKPOINT_NONE", message, { name });
    }
    this.#held.delete(name);
    clearTimeout(held.timer);
    await held.moment.release();
    return held.facts;
  }

  async status(name: string): Promise<CheckpointFacts | undefined> {
    return this.#held.get(name)?.facts;
  }
}

function exists(name: string): PagemarkError {
  const message = `${name}: there is a checkpoint already; release it first`;
  return new PagemarkError("CHECKPOINT_EXISTS", message, { name });
}
