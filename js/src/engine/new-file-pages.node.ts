import { ftruncateSync } from "node:fs";
import { free, type PageStore } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { readFullySync, writeFullySync } from "../node/fully.ts";
import { FileScratch, writing } from "./file-scratch.node.ts";

/**
 * A store for a database file that is made in one commit, by an import for example. Pages are written to their places as
 * they come, so memory does not grow with the file.
 *
 * @param fd of an empty file, which holds the database after the commit
 * @param scratch of a file for what is only there for the work; both stay the caller's
 */
export function newFilePages(fd: number, scratch: number): PageStore {
  return new NewFilePages(fd, scratch);
}

class NewFilePages extends FileScratch implements PageStore {
  readonly #fd: number;
  #pageSize = 0;
  /** Pages of another size. VACUUM can change the size, and until its commit is done there are pages of both sizes. */
  readonly #otherSizes = new Map<number, number>();
  /** The page that was read last: the engine has copied it before it reads another. */
  #page = new Uint8Array();

  constructor(fd: number, scratch: number) {
    super(scratch);
    this.#fd = fd;
  }

  get scratch(): this {
    return this;
  }

  open(): undefined {}

  read(pgno: number): Uint8Array {
    const size = this.#otherSizes.get(pgno) ?? this.#pageSize;
    if (this.#page.length !== size) this.#page = new Uint8Array(size);
    readFullySync(this.#fd, this.#page, (pgno - 1) * size);
    return this.#page;
  }

  override stage(_txid: number, pgnos: Uint32Array, pages: Uint8Array[]): void {
    this.#pageSize ||= pages[0]?.length ?? 0;
    for (const [index, page] of pages.entries()) {
      const pgno = pgnos[index] ?? 0;
      if (page.length === this.#pageSize) this.#otherSizes.delete(pgno);
      else this.#otherSizes.set(pgno, page.length);
    }
    this.#write(pgnos, pages);
  }

  commit(
    { txid, pageSize, pageCount }: Parameters<PageStore["commit"]>[0],
    _lineage: string,
    pgnos: Uint32Array,
    pages: Uint8Array[],
  ): void {
    if (txid !== 1)
      throw new PagemarkError("SOURCE_READ_ONLY", "the file was made, and takes no other commit");
    this.#write(pgnos, pages);
    writing(() => ftruncateSync(this.#fd, pageCount * pageSize));
    this.#pageSize = pageSize;
    this.#otherSizes.clear();
  }

  retain(): void {}

  changed(): number[] {
    return [];
  }

  /** Writes pages that lie side by side at once. */
  #write(pgnos: Uint32Array, pages: Uint8Array[]): void {
    for (let at = 0; at < pages.length; ) {
      const [size, first] = [pages[at]?.length ?? 0, pgnos[at] ?? 0];
      let end = at + 1;
      while (pages[end]?.length === size && pgnos[end] === first + end - at) end++;
      const run = pages.slice(at, end);
      writing(() => writeFullySync(this.#fd, Buffer.concat(run), (first - 1) * size));
      // The garbage collector would let many megabytes pile up.
      for (const page of run) free(page);
      at = end;
    }
  }
}
