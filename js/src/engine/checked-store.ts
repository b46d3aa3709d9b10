import type { PageStore, Scratch } from "../core/index.ts";
import { checkHas } from "../errors/index.ts";

type Opened = NonNullable<ReturnType<PageStore["open"]>>;

/**
 * Checks the types of a store's answers; the engine judges what they say. The engine reads answers in the middle of its
 * work, and an exception that an answer itself causes would leave it there.
 */
export class CheckedStore implements PageStore {
  readonly #store: PageStore;
  readonly scratch: Scratch | undefined;

  constructor(store: PageStore) {
    checkHas("read", store, "store", "a store of pages such as durableObjectStore(storage)");
    this.#store = store;
    this.scratch = store.scratch && new CheckedScratch(store.scratch);
  }

  open(): Opened | undefined {
    const opened: unknown = this.#store.open();
    if (opened === undefined || opened === null) return undefined;
    const { lineage, commits, keep } = opened as Partial<Opened>;
    if (!keep || typeof lineage !== "string") throw wrong("open", "{ lineage, commits, keep } or undefined");
    return {
      lineage,
      commits: listOf("open", commits, isObject),
      keep: { from: keep.from, pins: listOf("open", keep.pins, Number.isInteger) },
    };
  }

  read(pgno: number, txid: number): Uint8Array {
    return bytesOf("read", this.#store.read(pgno, txid));
  }

  commit(...args: Parameters<PageStore["commit"]>): void {
    this.#store.commit(...args);
  }

  retain(...args: Parameters<PageStore["retain"]>): void {
    this.#store.retain(...args);
  }

  isCrowded(): boolean {
    return this.#store.isCrowded?.() === true;
  }

  changed(after: number, upto: number): number[] {
    return listOf("changed", this.#store.changed(after, upto), Number.isInteger);
  }
}

class CheckedScratch implements Scratch {
  readonly #scratch: Scratch;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  stage(...args: Parameters<Scratch["stage"]>): void {
    this.#scratch.stage(...args);
  }

  unstage(): void {
    this.#scratch.unstage();
  }

  writeBlock(...args: Parameters<Scratch["writeBlock"]>): void {
    this.#scratch.writeBlock(...args);
  }

  readBlock(file: number, block: number): Uint8Array {
    return bytesOf("readBlock", this.#scratch.readBlock(file, block));
  }

  dropFile(file: number): void {
    this.#scratch.dropFile(file);
  }
}

function bytesOf(method: string, bytes: unknown): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  throw wrong(method, "a Uint8Array");
}

function listOf<T>(method: string, values: Iterable<T> | undefined, isRight: (value: T) => boolean): T[] {
  const list = isObject(values) && Symbol.iterator in values ? Array.from(values) : undefined;
  if (list?.every(isRight)) return list;
  throw wrong(method, "lists as PageStore describes them");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function wrong(method: string, expected: string): TypeError {
  return new TypeError(`the store's ${method}() returned a value of the wrong type (expected ${expected})`);
}

/** Closes a store that was opened for one database. */
export function closeStore(store: (PageStore & { close?: () => void }) | undefined): void {
  store?.close?.();
}
