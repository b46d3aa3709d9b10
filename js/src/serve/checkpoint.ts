// One state of a file, held so that it can be copied by other means.
import { PagemarkError } from "../errors/index.ts";
import type { CheckpointStatus } from "../service/service.ts";
import { file } from "../sources/file.ts";
import type { Moment } from "../sources/source.ts";
import { stateOf } from "./state.ts";

/** So that a client that died does not hold the WAL for ever, in milliseconds. */
const LEASE_MS = 15 * 60_000;

/** Holds the newest state: the file and its WAL may be copied by any program, the WAL last. */
export class Checkpoint {
  readonly #path: string;
  #held: { status: CheckpointStatus; moment: Moment; timer: NodeJS.Timeout } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The state that is held. */
  get status(): CheckpointStatus | undefined {
    return this.#held?.status;
  }

  /** @throws PagemarkError `CHECKPOINT_EXISTS`, `USAGE` where nothing can be held while others write */
  async create(): Promise<CheckpointStatus> {
    if (this.#held) throw exists();
    const moment = await file(this.#path).pin();
    if (this.#held || !isWal(moment)) {
      await moment.release();
      if (this.#held) throw exists();
      const message =
        "only a database in WAL mode, which a program has open, can be held while others write; make a backup instead, or set PRAGMA journal_mode=WAL";
      throw new PagemarkError("USAGE", message);
    }
    const now = Date.now();
    const status = {
      bookmark: stateOf(this.#path),
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + LEASE_MS).toISOString(),
    };
    const timer = setTimeout(() => void this.release().catch(() => {}), LEASE_MS);
    timer.unref();
    this.#held = { status, moment, timer };
    return status;
  }

  /** @throws PagemarkError `CHECKPOINT_NONE` */
  async release(): Promise<CheckpointStatus> {
    const held = this.#held;
    if (!held) throw new PagemarkError("CHECKPOINT_NONE", "there is no checkpoint; it may have expired");
    this.#held = undefined;
    clearTimeout(held.timer);
    await held.moment.release();
    return held.status;
  }
}

/** A moment of a WAL is marked where it ends. */
function isWal({ mark }: Moment): boolean {
  return mark !== undefined;
}

function exists(): PagemarkError {
  return new PagemarkError("CHECKPOINT_EXISTS", "there is a checkpoint already; release it first");
}
