import { free } from "../../core/free.ts";

/** In the object's key-value storage a value may have 2 MB: so every array is a value of its own. */
interface Reference {
  /** The key of an array. */
  $array: string;
}

interface Stored {
  skeleton: unknown;
  /** The number of the next array: none is given twice while others may refer to it. */
  next: number;
}

/** Keeps plain data with arrays of bytes in the object's storage. The arrays of data that is saved are this object's. */
export class SavedState<T extends object> {
  readonly #storage: DurableObjectStorage;
  readonly #name: string;
  /** What is stored: read again for every slice of a backup, its arrays would be garbage by the megabyte. */
  #value: T | undefined;
  /** Its arrays: those that are the same objects as the time before are not written again. */
  #stored = new Map<Uint8Array, string>();
  #next = 0;

  constructor(storage: DurableObjectStorage, name: string) {
    this.#storage = storage;
    this.#name = name;
  }

  /**
   * All of it takes the place of what this has saved or loaded before, or nothing does. The arrays of that which are not
   * in it are freed.
   */
  save(value: T): void {
    const before = new Set(this.#stored.values());
    const kept = new Map<Uint8Array, string>();
    this.#storage.transactionSync(() => {
      const skeleton = this.#write(value, kept);
      this.#storage.kv.put(this.#name, { skeleton, next: this.#next } satisfies Stored);
      for (const key of kept.values()) before.delete(key);
      for (const key of before) this.#storage.kv.delete(key);
    });
    this.#keep(value, kept);
  }

  load(): T | undefined {
    if (this.#value) return this.#value;
    const stored = this.#storage.kv.get<Stored>(this.#name);
    if (!stored) return undefined;
    this.#next = stored.next;
    this.#value = this.#read(stored.skeleton) as T;
    return this.#value;
  }

  drop(): void {
    for (const key of [this.#name, ...this.#keys()]) this.#storage.kv.delete(key);
    this.#keep(undefined, new Map());
  }

  #keep(value: T | undefined, stored: Map<Uint8Array, string>): void {
    for (const array of this.#stored.keys()) if (!stored.has(array)) free(array);
    this.#stored = stored;
    this.#value = value;
  }

  #write(value: unknown, kept: Map<Uint8Array, string>): unknown {
    if (value instanceof Uint8Array) {
      const key = this.#stored.get(value) ?? this.#put(value);
      kept.set(value, key);
      return { $array: key } satisfies Reference;
    }
    if (Array.isArray(value)) return value.map((each) => this.#write(each, kept));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#write(each, kept)]));
  }

  #read(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#read(each));
    if (typeof value !== "object" || value === null) return value;
    if ("$array" in value) {
      const array = this.#storage.kv.get<Uint8Array>((value as Reference).$array) ?? new Uint8Array();
      this.#stored.set(array, (value as Reference).$array);
      return array;
    }
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#read(each)]));
  }

  #put(array: Uint8Array): string {
    const key = `${this.#name}/${this.#next++}`;
    this.#storage.kv.put(key, array);
    return key;
  }

  #keys(): string[] {
    return [...this.#storage.kv.list({ prefix: `${this.#name}/` })].map(([key]) => key);
  }
}
