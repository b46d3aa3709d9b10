import { isPageSize } from "../core/index.ts";
import type { PageSource } from "../sources/source.ts";
import type { ReadPage } from "./page-runs.ts";
import { readTables } from "./tables.ts";

/** Pages whose heads are kept, which takes at most 8 MiB. Heads of later pages are read again. */
const MOST = 1 << 21;
/** Kinds of b-tree pages without children (file format, section 1.6). */
const LEAVES = new Set([0x0a, 0x0d]);

/**
 * What a database's pages begin with, noted as they pass by on their way to a file: how many cells each leaf has. That
 * is all it takes to count rows, which so need not read the file again.
 */
export class PageHeads {
  /** In bytes, once known; 0 when the first page is no database's. */
  #pageSize: number | undefined;
  /** Where the next chunk begins in the file. */
  #position = 0;
  /** For each page its kind and number of cells; 0 for one that did not pass by in one piece. */
  #heads = new Uint32Array(1 << 10);
  #page = new Uint8Array();

  /** `source`, with a look at whatever replaces it. */
  watching(source: PageSource): PageSource {
    const { name } = source;
    return {
      name,
      pin: (options) => source.pin(options),
      replace: async (body, options) => source.replace?.(this.watch(body), options),
    };
  }

  /** `body`, with a look at what passes by. */
  watch(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          this.#note(value);
          controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** Pages that passed by so far. */
  get pageCount(): number {
    return this.#pageSize ? Math.floor(this.#position / this.#pageSize) : 0;
  }

  /** A page with the head of leaf `pgno` and nothing behind it, good until the next call; nothing for other pages. */
  leaf(pgno: number): Uint8Array | undefined {
    const head = this.#heads[pgno - 1] ?? 0;
    if (pgno === 1 || !LEAVES.has(head >> 16)) return undefined;
    if (this.#page.length === 0) this.#page = new Uint8Array(this.#pageSize ?? 0);
    this.#page[0] = head >> 16;
    this.#page[3] = head >> 8;
    this.#page[4] = head;
    return this.#page;
  }

  #note(chunk: Uint8Array): void {
    this.#pageSize ??= pageSizeIn(chunk);
    const pageSize = this.#pageSize;
    const start = this.#position;
    this.#position += chunk.length;
    if (pageSize === 0) return;
    let page = Math.ceil(start / pageSize);
    const end = Math.min(MOST, Math.ceil(this.#position / pageSize));
    if (end > this.#heads.length) this.#grow(end);
    for (let at = page * pageSize - start; page < end && at + 5 <= chunk.length; at += pageSize, page++) {
      this.#heads[page] = (byte(chunk, at) << 16) | (byte(chunk, at + 3) << 8) | byte(chunk, at + 4);
    }
  }

  #grow(pages: number): void {
    const heads = new Uint32Array(Math.min(MOST, 2 * pages));
    heads.set(this.#heads);
    this.#heads = heads;
  }
}

/** `read`, but leaves of tables come from `heads`. The schema's are read: more than their heads is looked at. */
export async function withHeads(read: ReadPage, heads: PageHeads, pageCount: number): Promise<ReadPage> {
  const schema = new Set<number>();
  const noting: ReadPage = (pgno) => {
    schema.add(pgno);
    return read(pgno);
  };
  await readTables(noting, pageCount, false);
  return async (pgno) => (schema.has(pgno) ? undefined : heads.leaf(pgno)) ?? read(pgno);
}

/** As the first page says; 0 when it says nothing of use. */
function pageSizeIn(chunk: Uint8Array): number {
  const size = (byte(chunk, 16) << 8) | byte(chunk, 17);
  if (size === 1) return 65536;
  return isPageSize(size) ? size : 0;
}

function byte(chunk: Uint8Array, at: number): number {
  return chunk[at] ?? 0;
}
