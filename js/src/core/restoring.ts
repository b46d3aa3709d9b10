import { type Core, core, currentPlatform } from "./core.ts";

/** What a restore needs or gives next. */
export type RestoreStep =
  /** Feed this file. `spare` is memory of a chunk that was fed before, to read the next one into. */
  | { kind: "need"; file: number; spare?: ArrayBuffer | undefined }
  /** The next bytes of the database file, the caller's from now on. */
  | { kind: "output"; bytes: Uint8Array }
  /** All of it was given, and this is its database checksum: 16 hex digits. */
  | { kind: "end"; checksum: string };

/** Decodes a chain of LTX files to the database file, on another thread where the runtime has one. */
export interface Restorer {
  /** How many chunks of a file it may hold at a time. */
  readonly ahead: number;
  /** What comes next. @throws as the core does, after which {@link current} tells in which file. */
  next(): Promise<RestoreStep>;
  /**
   * The next bytes of a file; none mean that it ends. With `mayTake` they are the restorer's from then on, otherwise
   * they stay as they are until the call is over.
   */
  feed(file: number, bytes: Uint8Array, mayTake: boolean): void;
  /** The file that was fed last. */
  readonly current: number;
  close(): Promise<void>;
}

/** Below this a thread costs more than it saves, in bytes. */
const WORTH_A_THREAD = 8 << 20;

/** For `files` files of `bytes` bytes in all, oldest first. */
export async function restorer(files: number, bytes: number): Promise<Restorer> {
  const elsewhere = bytes >= WORTH_A_THREAD ? await currentPlatform().restorer?.(files) : undefined;
  return elsewhere ?? new LocalRestorer(new (await core()).Restore(files));
}

/** Decodes on the thread that asks. */
class LocalRestorer implements Restorer {
  readonly ahead = 1;
  current = 0;
  readonly #restore: InstanceType<Core["Restore"]>;

  constructor(restore: InstanceType<Core["Restore"]>) {
    this.#restore = restore;
  }

  async next(): Promise<RestoreStep> {
    const next = this.#restore.poll();
    if (next === -1) return { kind: "output", bytes: this.#restore.takeOutput() };
    if (next === -2) return { kind: "end", checksum: this.#restore.checksum ?? "" };
    return { kind: "need", file: next };
  }

  feed(file: number, bytes: Uint8Array): void {
    this.current = file;
    this.#restore.feed(file, bytes);
  }

  async close(): Promise<void> {
    this.#restore.free();
  }
}
