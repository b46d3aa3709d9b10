// Room for bytes that are needed for a while: in memory, or in a file of the origin that goes when its tab does.
import { privateFiles, type SyncHandle, syncHandle } from "./folders.ts";

/** Up to this a room is in memory. In bytes. */
const IN_MEMORY = 16 << 20;
const FOLDER = [".pagemark", "scratch"] as const;

/** Filled once from its start, then read. */
export interface Room {
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Ends the writing. */
  seal(): Promise<void>;
  read(offset: number, into: Uint8Array): Promise<number>;
  /** Removes it. Idempotent. */
  close(): Promise<void>;
}

/** Makes room for so many bytes. */
export async function roomFor(size: number): Promise<Room> {
  return size <= IN_MEMORY ? inMemory(size) : inFile();
}

function inMemory(size: number): Room {
  let bytes = new Uint8Array(size);
  return {
    async write(chunk, offset) {
      bytes.set(chunk, offset);
    },
    async seal() {},
    async read(offset, into) {
      const found = bytes.subarray(offset, offset + into.length);
      into.set(found);
      return found.length;
    },
    async close() {
      bytes = new Uint8Array();
    },
  };
}

async function inFile(): Promise<Room> {
  let folder = await privateFiles();
  for (const name of FOLDER) folder = await folder.getDirectoryHandle(name, { create: true });
  await sweep(folder);
  const name = crypto.randomUUID();
  const unlock = await lock(name);
  let close = async () => unlock();
  try {
    const handle = await folder.getFileHandle(name, { create: true });
    const access: SyncHandle | undefined = await syncHandle(handle);
    const writable = access ? undefined : await handle.createWritable();
    let file: File | undefined;
    let closed: Promise<void> | undefined;
    close = async () => {
      access?.close();
      await writable?.abort().catch(() => {}); // nothing to give up once it was closed
      await folder.removeEntry(name).catch(() => {});
      unlock();
    };
    return {
      async write(bytes, offset) {
        if (!access) return writable?.write({ type: "write", position: offset, data: bytes.slice() });
        if (access.write(bytes, { at: offset }) < bytes.length)
          throw new DOMException("", "QuotaExceededError");
      },
      async seal() {
        await writable?.close();
        file = access ? undefined : await handle.getFile();
      },
      async read(offset, into) {
        if (access) return access.read(into, { at: offset });
        const bytes = new Uint8Array((await file?.slice(offset, offset + into.length).arrayBuffer()) ?? []);
        into.set(bytes);
        return bytes.length;
      },
      close() {
        closed ??= close();
        return closed;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Holds the name for as long as this tab or worker lives. */
function lock(name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(lockName(name), () => new Promise<void>((free) => resolve(free)));
    held.catch(reject);
  });
}

/** Removes what tabs left behind that were closed meanwhile. */
async function sweep(folder: FileSystemDirectoryHandle): Promise<void> {
  for await (const name of folder.keys()) {
    await navigator.locks.request(lockName(name), { ifAvailable: true }, async (lock) => {
      if (lock) await folder.removeEntry(name).catch(() => {});
    });
  }
}

function lockName(name: string): string {
  return `pagemark-scratch:${name}`;
}
