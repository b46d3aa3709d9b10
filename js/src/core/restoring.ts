import { type Core, core } from "./core.ts";
import { currentPlatform, type Restorer, type RestoreStep } from "./platform.ts";

/** Files with fewer bytes than this are decoded here: a thread would cost more than it saves. */
const WORTH_A_THREAD = 8 << 20;

/**
 * A decoder for a chain of `files` LTX files, oldest first, which have `bytes` bytes in all: on another thread where there
 * is one and it pays. With `isProved` whoever calls it proves the checksum of what comes out: pages that later files replace are not decoded.
 */
export async function restorer(files: number, bytes: number, isProved: boolean): Promise<Restorer> {
  const elsewhere = bytes >= WORTH_A_THREAD ? await currentPlatform().restorer?.(files, isProved) : undefined;
  return elsewhere ?? new LocalRestorer(new (await core()).Restore(files, isProved));
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
    const kind = this.#restore.poll();
    if (kind === "output") return { kind, bytes: this.#restore.takeOutput() };
    if (kind === "end") return { kind, checksum: this.#restore.checksum ?? "" };
    return { kind, file: this.#restore.file };
  }

  feed(file: number, bytes: Uint8Array): void {
    this.current = file;
    this.#restore.feed(file, bytes);
  }

  async close(): Promise<void> {
    this.#restore.free();
  }
}
