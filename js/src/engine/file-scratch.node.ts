import { tmpdir } from "node:os";
import { free, type Scratch } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { readFullySync, writeFullySync } from "../node/fully.ts";
import { temporaryError } from "../node/temporary-file.ts";

/** Size of the blocks of temporary files that the engine writes, in bytes. */
const BLOCK = 32 << 10;

/** The engine's temporary files, as blocks of one file in the order in which there was room. Nothing can be staged. */
export class FileScratch implements Scratch {
  readonly #fd: number;
  /** Where the blocks of each temporary file are, counted in blocks. */
  readonly #places = new Map<number, Map<number, number>>();
  readonly #free: number[] = [];
  #count = 0;
  /** The block that was read last: the engine has copied it before it reads another. */
  readonly #block = new Uint8Array(BLOCK);

  /** @param fd of the file, which stays the caller's */
  constructor(fd: number) {
    this.#fd = fd;
  }

  stage(_txid: number, _pgnos: Uint32Array, _pages: Uint8Array[]): void {
    throw new PagemarkError("SOURCE_READ_ONLY", "the database is only read; write to the database itself");
  }

  unstage(): void {}

  writeBlock(file: number, block: number, bytes: Uint8Array): void {
    const places = this.#places.get(file) ?? new Map<number, number>();
    const place = places.get(block) ?? this.#free.pop() ?? this.#count++;
    this.#places.set(file, places.set(block, place));
    writing(() => writeFullySync(this.#fd, bytes, place * BLOCK));
    // The garbage collector would let many megabytes pile up.
    free(bytes);
  }

  readBlock(file: number, block: number): Uint8Array {
    const place = this.#places.get(file)?.get(block);
    if (place === undefined) this.#block.fill(0);
    else readFullySync(this.#fd, this.#block, place * BLOCK);
    return this.#block;
  }

  dropFile(file: number): void {
    for (const place of this.#places.get(file)?.values() ?? []) this.#free.push(place);
    this.#places.delete(file);
  }
}

/** Runs `action`. @throws SourceError `SOURCE_TEMP_FULL` and others */
export function writing(action: () => void): void {
  try {
    action();
  } catch (error) {
    throw temporaryError(error, tmpdir());
  }
}
