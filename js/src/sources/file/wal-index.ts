import { changed } from "./errors.ts";
import type { LockableFile } from "./handle.ts";

/** The content of the WAL index, a file of shared memory with the ending `-shm`. */
export interface WalIndex {
  /** Frames of the WAL up to the last commit. */
  frames: number;
  /** Frames that checkpoints have moved to the main file. */
  moved: number;
  /** Size of the database after the last commit, in pages; 0 when the main file's header says it. */
  pageCount: number;
  /** Salts of the WAL, 16 hex digits; while it has no frames, those that it will have. */
  salts: string;
  /** The core's name for this place in the WAL; missing when the WAL holds no frame. */
  mark: string | undefined;
}

/** Two copies of the header, and how many frames were moved (https://www.sqlite.org/walformat.html, section 2.1). */
const HEADER_SIZE = 48;
const SIZE = 2 * HEADER_SIZE + 4;

/** Attempts to read the index while it is being written, which takes microseconds. */
const ATTEMPTS = 10_000;

/** Reads the index as it was between two commits. */
export function readWalIndex(shm: LockableFile): WalIndex {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [once, again] = [readBytes(shm), readBytes(shm)];
    const whole = equal(once, again) && equal(once.subarray(0, 48), once.subarray(48, 96));
    const isInit = once[12];
    if (whole && isInit === 1) return parse(once);
  }
  // A writer died while it wrote the index. The next connection that locks the database repairs it.
  throw changed(shm.path);
}

function readBytes(shm: LockableFile): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  shm.readNow(bytes, 0);
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

function parse(bytes: Uint8Array): WalIndex {
  // The index is in the byte order of the machine, as typed arrays are.
  const words = new Uint32Array(bytes.buffer, 0, SIZE / 4);
  const word = (offset: number) => words[offset / 4] ?? 0;
  const frames = word(16);
  // The salts are as in the WAL itself, whose numbers are big-endian.
  const salts = hex(bytes.subarray(32, 40));
  const checksum = [word(24), word(28)].map((sum) => sum.toString(16).padStart(8, "0")).join("");
  return {
    frames,
    moved: word(96),
    pageCount: word(20),
    salts,
    mark: frames === 0 ? undefined : `wal:${salts}:${frames}:${checksum}`,
  };
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
