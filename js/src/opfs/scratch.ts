// Room for bytes that are needed for a while: in memory, or in a file of the origin that goes when its tab does.
import { BlobReader } from "./file-bytes.ts";
import { folderAt, privateFiles, type SyncHandle, syncHandle } from "./folders.ts";

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
  return size <= IN_MEMORY ? inMemory(size) : scratchFile();
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

/** A file that nobody knows, for as long as this tab or worker lives. */
export interface ScratchFile extends Room {
  readonly handle: FileSystemFileHandle;
  /** Whether what lies in the sealed file is what was written. */
  isProved(): Promise<boolean>;
  /** Lets others open or move the file; it is not read here any more. Idempotent. */
  letGo(): Promise<void>;
}

/** Makes such a file; removes those of tabs that were closed meanwhile. */
export async function scratchFile(): Promise<ScratchFile> {
  let folder = await privateFiles();
  for (const name of FOLDER) folder = await folder.getDirectoryHandle(name, { create: true });
  await sweep(folder);
  const name = crypto.randomUUID();
  const unlock = await lock(name);
  const remove = async () => {
    await folder.removeEntry(name).catch(() => {}); // it may have been moved away
    unlock();
  };
  try {
    const handle = await folder.getFileHandle(name, { create: true });
    return new OpenScratch(handle, await openToWrite(handle), remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Removes what tabs left behind that were closed, if they left anything: it takes room, and whoever lists or measures may look for that. */
export async function sweepScratch(): Promise<void> {
  try {
    const folder = await folderAt(await privateFiles(), FOLDER);
    if (folder) await sweep(folder);
  } catch {
    // What cannot be removed now goes the next time; whoever called is told by its own work what is wrong.
  }
}

interface Writer {
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Ends the writing. */
  finish(): Promise<void>;
  /** What was written, where it can be read before the file is let go; otherwise a `File` is read. */
  read?: (offset: number, into: Uint8Array) => number;
  /** Lets go of the file. Idempotent. */
  close(): Promise<void>;
}

/** Dedicated workers write at once, others through the browser's stream. */
async function openToWrite(handle: FileSystemFileHandle): Promise<Writer> {
  const access: SyncHandle | undefined = await syncHandle(handle);
  if (access) {
    return {
      async write(bytes, offset) {
        if (access.write(bytes, { at: offset }) < bytes.length)
          throw new DOMException("", "QuotaExceededError");
      },
      async finish() {
        access.flush();
      },
      read: (offset, into) => access.read(into, { at: offset }),
      async close() {
        access.close();
      },
    };
  }
  const writable = await handle.createWritable();
  return {
    write: (bytes, offset) => writable.write({ type: "write", position: offset, data: bytes.slice() }),
    finish: () => writable.close(),
    close: () => writable.abort().catch(() => {}), // nothing to give up once it is finished
  };
}

class OpenScratch implements ScratchFile {
  readonly handle: FileSystemFileHandle;
  readonly #writer: Writer;
  readonly #remove: () => Promise<void>;
  readonly #written: { offset: number; length: number; digest: number }[] = [];
  #file: BlobReader | undefined;
  #closed: Promise<void> | undefined;

  constructor(handle: FileSystemFileHandle, writer: Writer, remove: () => Promise<void>) {
    this.handle = handle;
    this.#writer = writer;
    this.#remove = remove;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    await this.#writer.write(bytes, offset);
    this.#written.push({ offset, length: bytes.length, digest: digestOf(bytes) });
  }

  async seal(): Promise<void> {
    await this.#writer.finish();
    if (!this.#writer.read) this.#file = new BlobReader(await this.handle.getFile());
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    if (this.#writer.read) return this.#writer.read(offset, into);
    return (await this.#file?.read(offset, into)) ?? 0;
  }

  async isProved(): Promise<boolean> {
    let end = 0;
    for (const { offset, length, digest } of this.#written) {
      const bytes = new Uint8Array(length);
      if ((await this.read(offset, bytes)) < length || digestOf(bytes) !== digest) return false;
      end = Math.max(end, offset + length);
    }
    return (await this.handle.getFile()).size === end;
  }

  letGo(): Promise<void> {
    return this.#writer.close();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#file?.close();
    await this.letGo();
    await this.#remove();
  }
}

/** Tells bytes from others, if nobody chooses them to look alike. */
export function digestOf(bytes: Uint8Array): number {
  // Words begin where the machine allows.
  const whole = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  // All of it in 32-bit integers, which is many times faster than in numbers.
  const words = new Int32Array(whole.buffer, whole.byteOffset, whole.length >> 2);
  let a = 0x811c9dc5 | 0;
  let b = whole.length | 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    a = Math.imul(a ^ word, 0x01000193);
    b = (Math.imul(b, 31) + word) | 0;
  }
  for (const byte of whole.subarray(words.length * 4)) a = Math.imul(a ^ byte, 0x01000193);
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
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
