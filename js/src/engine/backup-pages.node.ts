import { Worker } from "node:worker_threads";
import type { Backup } from "../catalog/folder.ts";
import { errorOf, type Failure } from "../core/errors.ts";
import { PagemarkError } from "../errors/index.ts";
import type { FixedPages } from "./read-only-pages.ts";

/** Which backup, and where it is. */
export interface BackupPlace {
  /** A store as `openStore` takes it: a folder or a URL. */
  from: string;
  /** The database's name there. */
  name: string;
  /** The newest backup unless given. */
  at?: string | undefined;
  /** Reads from this one of several stores only. */
  fromLocality: string | undefined;
}

/** What the thread is started with. */
export interface ReaderData extends BackupPlace {
  /** What is told between the threads: {@link Slot}. */
  slots: SharedArrayBuffer;
  /** Where pages are put. */
  room: SharedArrayBuffer;
}

/** Numbers that both threads share. */
export const Slot = { state: 0, length: 1, count: 2 } as const;
export const State = { asked: 0, done: 1, failed: 2 } as const;

/** What the thread says first. */
export type ReaderReady =
  | { backup?: Backup; pageSize: number; pageCount: number; warnings: string[] }
  | { error: Failure };

/** Room for what is read at once, in bytes. */
const ROOM = 1 << 20;
/** By how much requests grow from one to the other while pages are read in a row. */
const GROWTH = 2;
/** Longer than any store tries for a request, in milliseconds. */
const PATIENCE = 300_000;

/**
 * The pages of a stored backup, for a reader that cannot wait for a promise: SQLite. A thread fetches and proves them, and
 * this one stands still meanwhile.
 */
export class BackupPages implements FixedPages, Disposable {
  readonly name: string;
  readonly pageSize: number;
  readonly pageCount: number;
  /** Missing for a folder that Litestream wrote. */
  readonly backup: Backup | undefined;
  /** What was found besides, such as later states that cannot be read. */
  readonly warnings: readonly string[];
  readonly #worker: Worker;
  readonly #slots: Int32Array;
  readonly #room: Uint8Array;
  /** The first page that is in the room, and how many are. */
  #held: [first: number, count: number] = [0, 0];
  /** How many pages the next request has, if it goes on where the last one ended. */
  #ahead = 1;

  /** @throws what the store and the backup's history have to say */
  static async open(place: BackupPlace): Promise<BackupPages> {
    const slots = new SharedArrayBuffer(12);
    const room = new SharedArrayBuffer(ROOM);
    const workerData: ReaderData = { ...place, slots, room };
    const worker = new Worker(new URL("./backup-reader.node.js", import.meta.url), { workerData });
    try {
      const ready = await new Promise<ReaderReady>((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
        worker.once("exit", () => reject(new PagemarkError("INTERNAL", "the reading thread ended")));
      });
      if ("error" in ready) throw errorOf(ready.error);
      // What it says from now on, it says in the slots.
      worker.on("error", () => {});
      worker.unref();
      return new BackupPages(place.name, worker, ready, [new Int32Array(slots), new Uint8Array(room)]);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  private constructor(
    name: string,
    worker: Worker,
    { pageSize, pageCount, backup, warnings }: Exclude<ReaderReady, { error: Failure }>,
    [slots, room]: [Int32Array, Uint8Array],
  ) {
    this.name = name;
    this.pageSize = pageSize;
    this.pageCount = pageCount;
    this.backup = backup;
    this.warnings = warnings;
    this.#worker = worker;
    this.#slots = slots;
    this.#room = room;
  }

  read(pgno: number): Uint8Array {
    const [first, count] = this.#held;
    if (pgno < first || pgno >= first + count) this.#fetch(pgno);
    const at = (pgno - this.#held[0]) * this.pageSize;
    return this.#room.slice(at, at + this.pageSize);
  }

  [Symbol.dispose](): void {
    void this.#worker.terminate();
  }

  #fetch(pgno: number): void {
    const [first, count] = this.#held;
    const most = Math.floor(ROOM / this.pageSize);
    this.#ahead = pgno === first + count ? Math.min(this.#ahead * GROWTH, most) : 1;
    const wanted = Math.min(this.#ahead, this.pageCount - pgno + 1);
    this.#held = [0, 0];
    Atomics.store(this.#slots, Slot.state, State.asked);
    this.#worker.postMessage([pgno, wanted]);
    if (Atomics.wait(this.#slots, Slot.state, State.asked, PATIENCE) === "timed-out") {
      const message = `page ${pgno} of ${this.name} did not come within five minutes; see whether the store answers`;
      throw new PagemarkError("STORE_UNAVAILABLE", message);
    }
    if (Atomics.load(this.#slots, Slot.state) === State.failed) {
      const said = this.#room.slice(0, Atomics.load(this.#slots, Slot.length));
      throw errorOf(JSON.parse(new TextDecoder().decode(said)));
    }
    this.#held = [pgno, wanted];
  }
}
