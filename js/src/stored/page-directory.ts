import { sha256 } from "../core/index.ts";
import { DamageError } from "../errors/index.ts";
import { damaged, type Part } from "../objects/object-reader.ts";
import type { Store } from "../stores/store.ts";
import { readRange } from "./chain-index.ts";

const MAGIC = 0x504d5044;
const VERSION = 1;
const HEADER_SIZE = 16;
const BLOCK_SIZE = 28;
const DIGEST_SIZE = 16;
/** Where the runs begin in a fingerprint file, in bytes. */
const RUNS = 16;

/** Bytes of an object. */
export interface Span {
  offset: number;
  length: number;
}

/** Some pages, up to 128, and where it is said what they are like and where they lie. */
export interface Block {
  /** The number of the first page. */
  first: number;
  /** Their states, in the fingerprint file. */
  runs: Span;
  /** Their places, in the LTX file. */
  entries: Span;
  /** First half of the SHA-256 of the runs, as hex digits. */
  digest: string;
}

/** What lies where in a backup's two files: the core's `snapshot::directory`. */
export class PageDirectory {
  /** By their pages, ascending. */
  readonly blocks: readonly Block[];

  /** @throws DamageError that names the object */
  static async read(store: Store, part: Part, signal?: AbortSignal): Promise<PageDirectory> {
    const { key, offset, size, sha256: expected } = part;
    const bytes = await readRange(store, key, offset, size, signal);
    if ((await digestOf(bytes)) !== expected) throw damaged(key, "does not end as its record says");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (size < HEADER_SIZE || view.getUint32(0) !== MAGIC || view.getUint32(4) !== VERSION) {
      throw new DamageError("FINGERPRINTS", `${key}: its page directory is of an unknown version`, {
        name: key,
      });
    }
    return new PageDirectory(view);
  }

  private constructor(view: DataView) {
    let [runsAt, entriesAt] = [RUNS, Number(view.getBigUint64(8))];
    const blocks: Block[] = [];
    for (let at = HEADER_SIZE; at + BLOCK_SIZE <= view.byteLength; at += BLOCK_SIZE) {
      const runs = { offset: runsAt, length: view.getUint32(at + 4) };
      const entries = { offset: entriesAt, length: view.getUint32(at + 8) };
      const digest = hexOf(new Uint8Array(view.buffer, view.byteOffset + at + 12, DIGEST_SIZE));
      blocks.push({ first: view.getUint32(at), runs, entries, digest });
      [runsAt, entriesAt] = [runsAt + runs.length, entriesAt + entries.length];
    }
    this.blocks = blocks;
  }

  /** The place of the block that has a page, if the backup has that page; -1 for none. */
  placeOf(pgno: number): number {
    let [low, high] = [0, this.blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.blocks[middle]?.first ?? 0) <= pgno) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Whether the bytes of a block's runs are those that were stored. */
export async function isProved(runs: Uint8Array, { digest }: Block): Promise<boolean> {
  return (await digestOf(runs)).slice(0, digest.length) === digest;
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = await sha256();
  hash.update(bytes);
  return hash.digest();
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
