// The write-ahead log of wa-sqlite's OPFSWriteAheadVFS: two files beside the database, `-wa0` and `-wa1`, of which one is
// written while the other is moved into the database. It is not SQLite's WAL.
import type { Bytes } from "../side-files.ts";

/** Bytes of a file's header, and of a frame's. */
export const AHEAD_HEADER = 32;
const MAGIC = 0x377f0684;
const [PAGE, COMMIT] = [0, 1];
/** Flags of a commit: it changed the page size; the next transaction is in the other file. */
const [NEW_PAGE_SIZE, OTHER_FILE] = [1, 2];
/** Read at a time, in bytes: many frames, of which the largest has 65,568. */
const WINDOW = 1 << 20;

/** Where the newest version of each page lies. */
export interface Ahead {
  /** In bytes; 0 when there is no transaction. */
  pageSize: number;
  /** Size of the database after the last transaction, in bytes. */
  size: number;
  /** By the page's place in the database: which of the files, and where in it. In bytes. */
  pages: Map<number, { file: 0 | 1; offset: number }>;
}

interface FileHeader {
  file: 0 | 1;
  nextId: number;
  salt1: number;
  salt2: number;
}

/** Reads the committed transactions in both files. */
export async function readAhead(files: readonly [Bytes, Bytes]): Promise<Ahead> {
  const ahead: Ahead = { pageSize: 0, size: 0, pages: new Map() };
  const [first, second] = await Promise.all([headerOf(files[0], 0), headerOf(files[1], 1)]);
  const headers = [first, second].filter((header) => header !== undefined);
  headers.sort((a, b) => a.nextId - b.nextId);
  const [older, newer] = headers;
  if (!older) return ahead;
  const next = newer && newer.salt1 === (older.salt1 + 1) >>> 0 ? newer : undefined;
  const goesOn = await readFile(files[older.file], older, next !== undefined, ahead);
  if (goesOn && next) await readFile(files[next.file], next, false, ahead);
  return ahead;
}

async function headerOf(bytes: Bytes, file: 0 | 1): Promise<FileHeader | undefined> {
  const header = new Uint8Array(AHEAD_HEADER);
  if ((await bytes.read(header, 0)) < AHEAD_HEADER) return undefined;
  const view = new DataView(header.buffer);
  if (view.getUint32(0) !== MAGIC || !isSound(header)) return undefined;
  return { file, nextId: Number(view.getBigUint64(8)), salt1: view.getUint32(16), salt2: view.getUint32(20) };
}

/**
 * Takes in the transactions of one file; says whether the other one goes on. One that leads to the other file counts only
 * when that one follows.
 */
async function readFile(
  bytes: Bytes,
  { file, salt1, salt2 }: FileHeader,
  isFollowed: boolean,
  ahead: Ahead,
): Promise<boolean> {
  const window = new Window(bytes);
  let pending = new Map<number, { size: number; offset: number }>();
  for (let offset = AHEAD_HEADER; ; ) {
    const head = await window.at(offset, AHEAD_HEADER);
    if (!head) return false;
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    if (view.getUint32(16) !== salt1 || view.getUint32(20) !== salt2) return false;
    const stated = view.getUint16(2);
    const length = stated === 1 ? 65_536 : stated;
    const frame = length === 0 ? head : await window.at(offset, AHEAD_HEADER + length);
    if (!frame || !isSound(frame)) return false;
    const type = frame[0];
    const [flags = 0, place] = [frame[1], Number(view.getBigUint64(8))];
    if (type === PAGE) pending.set(place, { size: length, offset: offset + AHEAD_HEADER });
    else if (type === COMMIT) {
      if (flags & OTHER_FILE && !isFollowed) return false;
      if (flags & NEW_PAGE_SIZE) ahead.pages.clear();
      for (const [at, page] of pending) {
        ahead.pages.set(at, { file, offset: page.offset });
        ahead.pageSize = page.size;
      }
      ahead.size = place;
      pending = new Map();
      if (flags & OTHER_FILE) return true;
    } else return isFollowed; // the end of this file
    offset += frame.length;
  }
}

/** Whether header and payload have the checksum that the header states in its last 8 bytes. */
function isSound(frame: Uint8Array): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let [s0, s1] = [0, 0];
  for (let at = 0; at < frame.length; at += 8) {
    if (at === AHEAD_HEADER - 8) continue;
    s0 = (s0 + view.getUint32(at, true) + s1) >>> 0;
    s1 = (s1 + view.getUint32(at + 4, true) + s0) >>> 0;
  }
  return s0 === view.getUint32(24) && s1 === view.getUint32(28);
}

/** Reads a file in large parts, for small ones from its start on. */
class Window {
  readonly #bytes: Bytes;
  #start = 0;
  #part = new Uint8Array();

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** The bytes there; `undefined` when the file ends before. */
  async at(offset: number, length: number): Promise<Uint8Array | undefined> {
    if (offset + length > this.#start + this.#part.length) {
      const part = new Uint8Array(WINDOW);
      this.#part = part.subarray(0, await this.#bytes.read(part, offset));
      this.#start = offset;
    }
    const from = offset - this.#start;
    return from + length <= this.#part.length ? this.#part.subarray(from, from + length) : undefined;
  }
}
