// Backups to read pages from: a full one and several incrementals, and a store that counts what is asked of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type GetOptions, memory, memoryStore, pagemark, type Store } from "pagemark";
import { planRestore, type RestorePlan } from "../../js/dist/catalog/folder.js";
import { core } from "../../js/dist/core/index.js";
import { bytes } from "../contracts/store-cases/bytes.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export const PAGE_SIZE = 4096;
export const FOLDER = "app";

/** A database of some 12 MB that hardly compresses. */
export function largeImage(): Bytes {
  const path = join(tempFolder(), "large.db");
  runSql(path, `PRAGMA page_size = ${PAGE_SIZE}; ${tableSql("a", 3000, 3700)}`);
  return new Uint8Array(readFileSync(path));
}

/** The same, with other bytes in those pages. */
export function withPages(image: Bytes, pages: number[], seed: number): Bytes {
  const changed = image.slice();
  for (const pgno of pages) {
    changed.set(bytes(PAGE_SIZE, seed * 100_000 + pgno), (pgno - 1) * PAGE_SIZE);
  }
  return changed;
}

/** Page numbers from `first` to `last`, each `step`th. */
export function pages(first: number, last: number, step = 1): number[] {
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => first + at * step);
}

/** A store with a backup of each of `images`. */
export async function chainOf(images: Bytes[]): Promise<Store> {
  const store = memoryStore();
  for (const image of images) await pagemark(memory(image), { name: FOLDER, store }).backup();
  return store;
}

/** The newest backup. */
export async function planOf(store: Store) {
  return planRestore(store, FOLDER, "latest");
}

/** A plan of one LTX file alone, which holds the pages in `image` from `first` on, of a database of `pageCount`. */
export async function planOfOneFile(
  store: Store,
  image: Uint8Array,
  pageSize: number,
  { first = 1, pageCount = image.length / pageSize } = {},
): Promise<RestorePlan> {
  const { Packer, Writer } = await core();
  const packer = new Packer(pageSize);
  const txid = first === 1 ? "0000000000000001" : "0000000000000002";
  const writer = new Writer(pageSize, pageCount, txid, txid, Date.now());
  packer.add(Uint32Array.of(first, image.length / pageSize), image);
  const parts = [writer.ltxHeader(), packer.takeFrames()];
  writer.append(packer.takeSummary());
  const tail = writer.finish();
  for (let piece = tail.next(); piece; piece = tail.next()) parts.push(piece);
  const file = new Uint8Array(Buffer.concat(parts));
  const key = `${FOLDER}/ltx/0/${txid}-${txid}.ltx`;
  await store.put(key, file);
  return { files: [{ key, size: file.length }] };
}

/** Only the LTX files of a store, as Litestream leaves them. */
export async function ltxOnly(store: Store): Promise<Store> {
  return copyOf(store, (key, bytes) => (key.endsWith(".ltx") ? bytes : undefined));
}

/** A store with what `change` makes of each object. */
export async function copyOf(
  store: Store,
  change: (key: string, bytes: Bytes) => Bytes | undefined,
): Promise<Store> {
  const copy = memoryStore();
  for (const { key, modified } of (await store.list(`${FOLDER}/`)).objects) {
    const whole = new Uint8Array(await new Response(await store.get(key)).arrayBuffer());
    const changed = change(key, whole);
    if (changed) await copy.put(key, changed, { modified });
  }
  return copy;
}

export interface Get {
  key: string;
  offset: number;
  length: number;
}

/** `store`, and every get of it; `before` is waited for first. */
export function counting(
  store: Store,
  before?: (signal: AbortSignal | undefined) => Promise<void>,
): { store: Store; gets: Get[] } {
  const gets: Get[] = [];
  const get = async (key: string, options: GetOptions = {}) => {
    await before?.(options.signal);
    gets.push({ key, offset: options.offset ?? 0, length: options.length ?? Number.NaN });
    return store.get(key, options);
  };
  const { layout, description } = store;
  return {
    gets,
    store: {
      layout,
      description,
      get,
      put: (...of) => store.put(...of),
      head: (...of) => store.head(...of),
      list: (...of) => store.list(...of),
      delete: (...of) => store.delete(...of),
    },
  };
}
