// The system may read and write less than it was asked to.
import { read, readSync, write, writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/** Reads from `position` on until `into` is full or the file ends. Returns how many bytes. */
export async function readFully(fd: number, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await readOnce(fd, done === 0 ? into : into.subarray(done), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of `bytes` at `position`, or where the last write ended. A thrown error has `written`: the bytes before it. */
export async function writeFully(
  file: FileHandle | number,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  let done = 0;
  try {
    while (done < bytes.length) {
      const to = position === undefined ? null : position + done;
      done +=
        typeof file === "number"
          ? await writeOnce(file, bytes, done, to)
          : (await file.write(bytes, done, bytes.length - done, to)).bytesWritten;
    }
  } catch (error) {
    throw Object.assign(error as Error, { written: done });
  }
}

/** As {@link readFully}, synchronously. */
export function readFullySync(fd: number, into: Uint8Array, position: number): number {
  let done = 0;
  while (done < into.length) {
    const count = readSync(fd, into, done, into.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** As {@link writeFully}, synchronously. */
export function writeFullySync(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

function readOnce(fd: number, into: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, 0, into.length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}

function writeOnce(fd: number, bytes: Uint8Array, from: number, position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}
