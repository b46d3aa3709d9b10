import type { DatabaseSync } from "node:sqlite";
import { beginRead, closeQuietly, whenFree } from "./file-sqlite.ts";

/**
 * The SHARED lock of a database in rollback mode: nobody commits while it is held. It is let go after `holdMs`, so
 * that writers do not wait for a slow reader; whoever goes on then takes it again and looks whether something changed.
 */
export class SharedLock {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #holdMs: number;
  #timer: NodeJS.Timeout | undefined;
  #held = false;
  #users = 0;

  constructor(
    db: DatabaseSync,
    path: string,
    { busyTimeoutMs, holdMs }: { busyTimeoutMs: number; holdMs: number },
  ) {
    this.#db = db;
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#holdMs = holdMs;
  }

  /** Takes the lock, unless it is held. Gives whether it was let go since the last time. */
  async take(signal?: AbortSignal): Promise<boolean> {
    if (this.#held) return false;
    await whenFree(this.#path, this.#busyTimeoutMs, signal, () => this.#held || beginRead(this.#db));
    this.#held = true;
    this.#timer = setTimeout(() => this.#letGo(), this.#holdMs).unref();
    return true;
  }

  /** Runs `read` without letting go in the middle of it. */
  async during<T>(read: () => Promise<T>): Promise<T> {
    this.#users++;
    try {
      return await read();
    } finally {
      this.#users--;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held = false;
    closeQuietly(this.#db);
  }

  #letGo(): void {
    if (this.#users > 0) {
      this.#timer = setTimeout(() => this.#letGo(), 1).unref();
      return;
    }
    this.#held = false;
    this.#db.exec("ROLLBACK");
  }
}
