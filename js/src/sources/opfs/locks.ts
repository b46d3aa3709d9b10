// The locks by which libraries keep one another out of a database, as far as others can take them.
import { syncHandle } from "../../opfs/folders.ts";
import { sleep } from "../../streams/progress.ts";
import { inUse } from "./errors.ts";
import type { Found } from "./files.ts";

interface LockName {
  name: string;
  mode: LockMode;
  library: string;
  /** Whoever holds the lock lets go when it hears this on the channel of the lock's name. */
  isAskedFor?: boolean;
}

/** How often a library is asked to let go, in milliseconds. */
const ASK_MS = 200;
/** How long to try, in milliseconds. */
const OPEN_MS = 2000;
/** How often a file that another has open is tried. In milliseconds. */
const TRY_MS = 10;

/** What the libraries that keep databases in files of their own lock, by the path as they know it. */
function locksOf(path: string): LockName[] {
  return [
    { name: `sqlite3-vfs-opfs:${path}`, mode: "shared", library: "@sqlite.org/sqlite-wasm opfs-wl" },
    { name: `lock##OPFS:${path}##access`, mode: "shared", library: "wa-sqlite" },
    { name: `lock##${path}##access`, mode: "shared", library: "wa-sqlite" },
    { name: `ahp:${path}`, mode: "exclusive", library: "wa-sqlite OPFSCoopSyncVFS", isAskedFor: true },
  ];
}

export interface Held {
  release(): void;
}

/**
 * Keeps writers out of a database, as far as its library lets others do that: with the Web Locks it takes itself, and in a
 * dedicated worker by having the file open for reading. Those of a pool cannot be kept out.
 *
 * What could not be had by `deadline` (a time of `Date.now()`) is left out: whether the database held still is proved by
 * its files all the same.
 */
export async function keepWritersOut(
  { path, main, pool }: Found,
  deadline: number,
  signal?: AbortSignal,
): Promise<Held> {
  const held: (() => void)[] = [];
  const release = () => {
    for (const free of held.splice(0)) free();
  };
  if (pool) return { release };
  try {
    for (const lock of locksOf(path)) {
      const free = await take(lock, deadline, signal);
      if (free) held.push(free);
    }
    const handle = await openToRead(main.handle, deadline, signal);
    if (handle) held.push(() => handle.close());
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

/**
 * Keeps everybody out of a database that is about to be replaced.
 *
 * @throws SourceError `SOURCE_IN_USE` when that was not to be had by `deadline`
 */
export async function keepAllOut(
  { path, pool }: Found,
  deadline: number,
  signal?: AbortSignal,
): Promise<Held> {
  const held: (() => void)[] = [];
  const release = () => {
    for (const free of held.splice(0)) free();
  };
  try {
    for (const lock of pool ? [] : locksOf(path)) {
      const free = await take({ ...lock, mode: "exclusive" }, deadline, signal);
      if (!free) throw inUse(path, lock.library);
      held.push(free);
    }
    return { release };
  } catch (error) {
    release();
    throw error;
  }
}

async function take(
  { name, mode, isAskedFor }: LockName,
  deadline: number,
  signal?: AbortSignal,
): Promise<(() => void) | undefined> {
  signal?.throwIfAborted();
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), Math.max(0, deadline - Date.now()));
  const onAbort = () => aborter.abort();
  signal?.addEventListener("abort", onAbort);
  const channel = isAskedFor ? new BroadcastChannel(name) : undefined;
  const asking = channel && setInterval(() => channel.postMessage(null), ASK_MS);
  channel?.postMessage(null);
  try {
    return await new Promise<() => void>((resolve, reject) => {
      const options = { mode, signal: aborter.signal };
      const granted = () => new Promise<void>((free) => resolve(() => free()));
      navigator.locks.request(name, options, granted).catch(reject);
    });
  } catch {
    signal?.throwIfAborted();
    return undefined;
  } finally {
    clearTimeout(timer);
    clearInterval(asking);
    channel?.close();
    signal?.removeEventListener("abort", onAbort);
  }
}

async function openToRead(handle: FileSystemFileHandle, latest: number, signal?: AbortSignal) {
  // Some libraries never let go of it.
  const deadline = Math.min(latest, Date.now() + OPEN_MS);
  for (;;) {
    try {
      return await syncHandle(handle, "read-only");
    } catch {
      if (Date.now() > deadline) return undefined;
      await sleep(TRY_MS, signal);
    }
  }
}

/**
 * The libraries that use a database now, as far as that shows. A file of its own is not opened to see it: its library could not
 * open it meanwhile.
 */
export async function usersOf({ path, main, pool }: Found): Promise<string[]> {
  const users = new Set<string>();
  if (pool && (await isOpen(main.handle))) {
    users.add(`${pool.slot.library ?? "a library"}, which holds the pool ${pool.path}`);
  }
  const { held = [], pending = [] } = await navigator.locks.query();
  const names = new Set([...held, ...pending].map((lock) => lock.name));
  for (const { name, library } of pool ? [] : locksOf(path)) if (names.has(name)) users.add(library);
  return [...users];
}

/** Whether someone has a slot of a pool open, as the pool's owner has all of them. */
async function isOpen(handle: FileSystemFileHandle): Promise<boolean> {
  try {
    const writable = await handle.createWritable({ keepExistingData: true });
    await writable.abort();
    return false;
  } catch {
    return true;
  }
}
