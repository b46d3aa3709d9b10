import type { Database, Hold } from "../../entry/engine.workerd.ts";
import { PagemarkError } from "../../entry/workerd.ts";
import type { CheckpointStatus } from "../../service/service.ts";
import type { Home } from "./home.ts";

const KEY = "checkpoint";
/** So that a client that died does not hold history for ever, in milliseconds. */
const LEASE_MS = 15 * 60_000;

/** CHECKPOINT CREATE and RELEASE (QuestDB's SNAPSHOT PREPARE and COMPLETE): one state held while writes go on. */
export class Checkpoint {
  readonly #home: Home;
  #hold: Hold | undefined;

  constructor(home: Home) {
    this.#home = home;
    home.live.onOpened((database) => {
      const status = this.#stored();
      this.#hold = status && hold(database, status);
    });
  }

  /** @throws PagemarkError `CHECKPOINT_EXISTS` */
  async create(): Promise<CheckpointStatus> {
    const database = await this.#home.database();
    if (this.#stored()) {
      throw new PagemarkError("CHECKPOINT_EXISTS", "there is a checkpoint already; release it first");
    }
    const now = Date.now();
    const status: CheckpointStatus = {
      bookmark: database.bookmark(),
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + LEASE_MS).toISOString(),
    };
    this.#hold = hold(database, status);
    this.#home.storage.kv.put(KEY, status);
    return status;
  }

  /** @throws PagemarkError `CHECKPOINT_NONE` */
  async release(): Promise<CheckpointStatus> {
    await this.#home.database();
    const status = this.#stored();
    if (!status) throw new PagemarkError("CHECKPOINT_NONE", "there is no checkpoint; it may have expired");
    this.#home.storage.kv.delete(KEY);
    this.#hold?.release();
    this.#hold = undefined;
    return status;
  }

  /** The checkpoint there is. */
  status(): CheckpointStatus | undefined {
    return this.#stored();
  }

  #stored(): CheckpointStatus | undefined {
    const status = this.#home.storage.kv.get<CheckpointStatus>(KEY);
    return status && Date.parse(status.expiresAt) > Date.now() ? status : undefined;
  }
}

function hold(database: Database, { bookmark, expiresAt }: CheckpointStatus): Hold {
  return database.hold({ at: bookmark, leaseMs: Math.max(1, Date.parse(expiresAt) - Date.now()) });
}
