import { setTimeout as sleep } from "node:timers/promises";
import { core } from "../../core/index.ts";
import type { Bytes } from "../side-files.ts";
import type { Follower, Polled, TakeFrames } from "../source.ts";
import { OpenDatabase, type Reader } from "./database.ts";
import { LockableFile, realPath } from "./handle.ts";
import { openReader } from "./reader.ts";
import { openSide } from "./wal.ts";
import { readWalIndex, type WalIndex } from "./wal-index.ts";

const WAL_HEADER = 32;
const FRAME_HEADER = 24;
/** Frames that are taken at once, at least and mostly, and at most, where one transaction is larger, in bytes. */
const LEAST = 256 << 10;
const CHUNK = 4 << 20;
const MOST = 16 << 20;
/** From so many bytes on, SQLite is given time to start the WAL over. */
const LARGE_WAL = 16 << 20;
const LARGE_WAL_FRAMES = 2000;
/** How often it is looked at meanwhile, and how often at most, in milliseconds. */
const GLANCE_MS = 2;
const GLANCES = 25;

/** What was read last, for the next that reads: garbage of this size piles up before it is collected. */
const spare: Uint8Array[] = [];

/**
 * Follows a database in WAL mode by a read transaction that moves on behind the commits.
 *
 * The transaction has a read mark, which keeps the WAL from starting over, or lock 0, once all of the WAL was moved to the
 * main file. Under lock 0 the WAL may start over, but nothing of what it then holds is moved. Between two transactions,
 * for microseconds, anything can happen, but a WAL that started over once still holds the end of what was there before:
 * its frames follow those of the new one until that has overwritten them, and its salts are one apart.
 *
 * As long as the transaction lasts, no checkpoint can finish. So when the WAL has become large, it is let go for a while.
 */
export class FileFollower implements Follower {
  readonly #database: OpenDatabase;
  readonly #reader: Reader;
  readonly #shm: LockableFile;
  readonly #wal: Bytes & { close: () => Promise<void> };
  readonly #frameSize: number;
  /** Where the WAL was read up to; `undefined` at the start of whichever WAL comes next. */
  #mark: string | undefined;
  /** The first bytes of the WAL that the mark is of. */
  #header = new Uint8Array(WAL_HEADER);
  /** Whether the transaction has lock 0, and whether all there was had been read when it got it. */
  #isMoved = false;
  #wasCaughtUp = false;
  #hasBegun = false;

  /** Holds the database from now on; `undefined` when it is not in WAL mode, or nobody has it open. */
  static async open(path: string, busyTimeoutMs: number): Promise<FileFollower | undefined> {
    const database = await OpenDatabase.open(realPath(path), busyTimeoutMs);
    const close: (() => unknown)[] = [() => database.main.close()];
    try {
      const isOpen = database.isWal && database.hasFile("-wal") && database.hasFile("-shm");
      const reader = isOpen ? await openReader(database) : undefined;
      if (reader) {
        close.unshift(() => reader.close());
        await reader.begin();
        if (database.isAsOpened()) {
          const shm = LockableFile.open(`${database.path}-shm`);
          close.push(() => shm.close());
          const wal = await openSide(`${database.path}-wal`);
          const follower = new FileFollower(database, reader, shm, wal);
          close.length = 0;
          return follower;
        }
      }
      return undefined;
    } finally {
      for (const step of close) await step();
    }
  }

  private constructor(
    database: OpenDatabase,
    reader: Reader,
    shm: LockableFile,
    wal: Bytes & { close: () => Promise<void> },
  ) {
    this.#database = database;
    this.#reader = reader;
    this.#shm = shm;
    this.#wal = wal;
    this.#frameSize = FRAME_HEADER + database.pageSize;
  }

  begin(mark: string | undefined): void {
    this.#mark = mark;
    this.#hasBegun = true;
    this.#wasCaughtUp = false;
  }

  async poll(take: TakeFrames): Promise<Polled> {
    if (!this.#hasBegun || !this.#database.main.isInPlace) return "lost";
    let news = false;
    // Twice where the WAL may start over next, before all of it was read.
    for (let round = 0; round < 2; round++) {
      const index = readWalIndex(this.#shm);
      const read = await this.#read(index, take);
      if (read === "lost") return read;
      news ||= read === "news";
      // Under lock 0 no more can come into a WAL that may start over.
      this.#wasCaughtUp = true;
      const isLarge = index.frames > LARGE_WAL_FRAMES || index.frames * this.#frameSize > LARGE_WAL;
      const isStale = read === "news" || (!this.#isMoved && index.moved >= index.frames) || isLarge;
      if (!isStale) break;
      await this.#moveOn(isLarge ? index : undefined);
      if (!this.#isMoved || this.#wasCaughtUp) break;
    }
    return news ? "news" : "idle";
  }

  async close(): Promise<void> {
    await this.#reader.close();
    await this.#wal.close();
    this.#shm.close();
    this.#database.main.close();
  }

  /** Reads up to the commit that the index names. */
  async #read(index: WalIndex, take: TakeFrames): Promise<Polled> {
    if (index.mark === this.#mark && index.mark !== undefined) return "idle";
    if (this.#mark !== undefined && index.salts !== generation(this.#mark)) {
      const isWhole = (this.#isMoved && this.#wasCaughtUp) || (await this.#readEnd(index, take));
      if (!isWhole) return "lost";
      this.#mark = undefined;
    }
    if (index.mark === undefined) return "idle";
    if (this.#mark === undefined || !this.#isHeaderOf(index.salts)) {
      const header = new Uint8Array(WAL_HEADER);
      await this.#wal.read(header, 0);
      const start = await startOf(this.#database.pageSize, header);
      // It starts over at this moment: the index will say so.
      if (start === undefined || generation(start) !== index.salts) return "idle";
      this.#header = header;
      this.#mark ??= start;
    }
    return this.#readTo(index.frames, take);
  }

  /** Reads up to a frame that is held. */
  async #readTo(frames: number, take: TakeFrames): Promise<Polled> {
    const end = WAL_HEADER + frames * this.#frameSize;
    let chunk = CHUNK;
    for (;;) {
      const mark = this.#mark ?? "";
      const from = this.#end(mark);
      if (from >= end) return "news";
      const size = Math.min(end - from, Math.floor(chunk / this.#frameSize + 1) * this.#frameSize);
      const buffer = spare.pop() ?? new Uint8Array(0);
      const bytes = buffer.length >= size ? buffer.subarray(0, size) : new Uint8Array(size);
      if ((await this.#wal.read(bytes, from)) < size) return "lost";
      const taking = take({ header: this.#header, mark, bytes });
      // Taken in by now, all but what is stored.
      if (chunk === CHUNK) spare[0] = bytes.length > buffer.length ? bytes : buffer;
      const next = await taking;
      if (next !== undefined) this.#mark = next;
      // One transaction is larger than what is taken at once; a backup takes it in smaller pieces.
      else if (from + size >= end || chunk >= MOST) return "lost";
      else chunk *= 2;
    }
  }

  /** Reads what was committed before the WAL was started over. `false` when that was overwritten. */
  async #readEnd(index: WalIndex, take: TakeFrames): Promise<boolean> {
    const old = this.#mark ?? "";
    if (firstOf(index.salts) !== (firstOf(generation(old)) + 1) % 2 ** 32) return false;
    const start = this.#end(old);
    const isOverwritten = async () => {
      const frame = new Uint8Array(FRAME_HEADER);
      const count = await this.#wal.read(frame, start);
      // SQLite may have cut off what was there.
      return count < frame.length || saltsIn(frame) === index.salts;
    };
    if (await isOverwritten()) return false;
    for (let chunk = LEAST; ; ) {
      const mark = this.#mark ?? "";
      const bytes = new Uint8Array(Math.floor(chunk / this.#frameSize + 1) * this.#frameSize);
      const frames = Math.floor((await this.#wal.read(bytes, this.#end(mark))) / this.#frameSize);
      const last = bytes.subarray(Math.max(0, frames - 1) * this.#frameSize);
      this.#mark =
        (await take({ header: this.#header, mark, bytes: bytes.subarray(0, frames * this.#frameSize) })) ??
        mark;
      // Behind the end are frames of an even older WAL, with other salts.
      if (frames === 0 || saltsIn(last) !== generation(old)) break;
      if (this.#mark === mark) chunk *= 2;
      if (chunk > MOST) return false;
    }
    return !(await isOverwritten());
  }

  /** Begins the transaction anew: at the newest commit, and later when the WAL `large` should start over first. */
  async #moveOn(large: WalIndex | undefined): Promise<void> {
    this.#reader.end();
    for (let glance = 0; large !== undefined && glance < GLANCES; glance++) {
      await sleep(GLANCE_MS);
      const { moved, frames, salts } = readWalIndex(this.#shm);
      if (moved >= frames || salts !== large.salts) break;
    }
    await this.#reader.begin();
    const { moved, frames, mark } = readWalIndex(this.#shm);
    this.#isMoved = moved >= frames;
    this.#wasCaughtUp = mark === this.#mark;
  }

  #isHeaderOf(salts: string): boolean {
    return Buffer.from(this.#header.subarray(16, 24)).toString("hex") === salts;
  }

  /** Where the frame after a mark lies, in bytes. */
  #end(mark: string): number {
    return WAL_HEADER + Number(mark.split(":")[2]) * this.#frameSize;
  }
}

async function startOf(pageSize: number, header: Uint8Array): Promise<string | undefined> {
  const { walStart } = await core();
  return walStart(pageSize, header);
}

/** The salts in a mark: every WAL has others. */
function generation(mark: string): string {
  return mark.split(":")[1] ?? "";
}

/** The salts in the header of a frame. */
function saltsIn(frame: Uint8Array): string {
  return Buffer.from(frame.subarray(8, 16)).toString("hex");
}

/** The first salt, which is one higher in a WAL that was started over. */
function firstOf(salts: string): number {
  return Number.parseInt(salts.slice(0, 8), 16);
}
