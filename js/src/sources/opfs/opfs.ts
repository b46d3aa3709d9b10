import { checkOptions } from "../../errors/index.ts";
import { segmentsOf } from "../../opfs/folders.ts";
import { sleep } from "../../streams/progress.ts";
import type { PageSource } from "../source.ts";
import { type OpenImage, sourceFrom } from "../source-from.ts";
import { copyOf } from "./copy.ts";
import { busy, changed, isChange, opfsError } from "./errors.ts";
import { type Found, findDatabase } from "./files.ts";
import { type Held, keepWritersOut, usersOf } from "./locks.ts";
import { replaceDatabase } from "./replace.ts";
import { isSame, type Look, look, markOf, stampIn, viewOf } from "./snapshot.ts";

/** How a database in the origin's private files is found and waited for. */
export interface OpfsOptions {
  /** Path of the pool's folder, such as `.opfs-sahpool`, where several have a database of that path. */
  pool?: string;
  /** How long to wait for writers to pause, in milliseconds; 10,000 unless given. */
  busyTimeoutMs?: number;
}

/** A database that was written within this time will probably be written again. In milliseconds. */
const RECENT_MS = 2000;
/** Up to this a database is copied into memory at once. In bytes. */
const SMALL = 16 << 20;
/** Every so many attempts it is looked for anew. */
const FIND_AGAIN = 8;
/** After so many attempts writers are kept out, where their library lets others do that. */
const FREE_ATTEMPTS = 3;
/** Longest pause between two attempts, in milliseconds. */
const LONGEST_PAUSE_MS = 60;

/**
 * A SQLite database in the origin's private files (OPFS), from any tab or worker, also while others write to it: a file
 * of its own, or one in a pool of `opfs-sahpool`, wa-sqlite's AccessHandlePoolVFS or `sqlite-wasm-vfs`. A backup writes to
 * none of its files.
 *
 * A database is read as its files are when nobody wrote to it meanwhile, which its change counter, its journal and the
 * times of its files prove. One that is small, or was written just now, is copied first, again and again until that is
 * so; from the third time on its writers are kept out, where their library has locks that others can take. A journal
 * that was left behind is rolled back, and a WAL is read, in what is read only.
 */
export function opfs(path: string, options: OpfsOptions = {}): PageSource {
  checkOptions(options);
  const find = () => findDatabase(path, options.pool);
  const pinning = new Pinning(path, find, keepWritersOut, options.busyTimeoutMs);
  return sourceFrom({
    name: nameIn(path),
    open: (signal, since) => pinning.open(signal, since),
    replace: (body, more = {}) => replaceDatabase(path, options.pool, body, checkOptions(more)),
  });
}

/** A file's name without its ending. */
export function nameIn(path: string): string {
  const name = segmentsOf(path).at(-1) ?? path;
  return name.replace(/(?<=.)\.[^.]*$/, "");
}

/** Pins databases that {@link opfs} describes. */
export class Pinning {
  readonly #path: string;
  readonly #find: () => Promise<Found>;
  readonly #keepOut: typeof keepWritersOut;
  readonly #busyTimeoutMs: number;
  /** Set when writers were faster than the last reading: the next one is of a copy. */
  #copyNext = false;

  /** @param keepOut holds writers off, as far as that can be done */
  constructor(
    path: string,
    find: () => Promise<Found>,
    keepOut: typeof keepWritersOut,
    busyTimeoutMs = 10_000,
  ) {
    this.#path = path;
    this.#find = find;
    this.#keepOut = keepOut;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** @param since the mark of the last backup */
  async open(signal: AbortSignal | undefined, since?: string): Promise<OpenImage> {
    const deadline = Date.now() + this.#busyTimeoutMs;
    let found: Found | undefined;
    let held: Held | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        signal?.throwIfAborted();
        // Its slot in a pool may be another one by now.
        if (attempt % FIND_AGAIN === 0) found = undefined;
        found ??= await this.#find();
        if (attempt > FREE_ATTEMPTS) held ??= await this.#keepOut(found, deadline, signal);
        const image = await this.#attempt(found, since, signal);
        if (image) return image;
        if (Date.now() > deadline) {
          held?.release();
          throw busy(this.#path, this.#busyTimeoutMs, await usersOf(found));
        }
        // Writers have a rhythm of their own, which this one must not share.
        await sleep(Math.random() * Math.min(LONGEST_PAUSE_MS, 2 * attempt), signal);
      }
    } catch (error) {
      throw opfsError(error, this.#path, signal);
    } finally {
      held?.release();
    }
  }

  async #attempt(
    found: Found,
    since: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<OpenImage | undefined> {
    try {
      const seen = await look(found);
      const mark = markOf(seen);
      const isUnchanged = mark !== undefined && stampIn(mark) === stampIn(since ?? "");
      const isQuiet = seen.isSettled && seen.quietMs > RECENT_MS && !this.#copyNext;
      if (isUnchanged || (isQuiet && seen.file.size > SMALL)) {
        const image = this.#inPlace(seen, await viewOf(seen, signal));
        return { ...image, mark, ...(isUnchanged && { changed: new Uint32Array() }) };
      }
      const copy = await copyOf(seen, signal);
      if (!copy) return undefined;
      this.#copyNext = false;
      const { size, room } = copy;
      return {
        size,
        taken: "end",
        mark,
        read: (offset, into) => room.read(offset, into),
        close: () => room.close(),
      };
    } catch (error) {
      if (isChange(error)) return undefined;
      throw error;
    }
  }

  #inPlace(seen: Look, view: Awaited<ReturnType<typeof viewOf>>): OpenImage {
    return {
      size: view.size,
      taken: "start",
      read: (offset, into) => view.read(offset, into),
      close: async () => {
        view.free();
        try {
          if (await isSame({ ...seen, found: await this.#find() })) return;
        } catch (error) {
          if (!isChange(error)) throw opfsError(error, this.#path);
        }
        this.#copyNext = true;
        throw changed(this.#path);
      },
    };
  }
}
