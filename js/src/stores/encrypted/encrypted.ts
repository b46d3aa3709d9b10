import { type Hasher, sha256 } from "../../core/index.ts";
import { ObjectExistsError } from "../../errors/object-exists-error.ts";
import { ObjectMissingError } from "../../errors/object-missing-error.ts";
import { checkHas, checkOptions } from "../../errors/options.ts";
import { PagemarkError } from "../../errors/pagemark-error.ts";
import { StoreError } from "../../errors/store-error.ts";
import { type Body, consume } from "../../streams/body.ts";
import { bytesOf, chunksOf, emptyStream, streamOf } from "../../streams/streams.ts";
import { checkKey, checkRange, checkTime, pageLimit } from "../checks.ts";
import { guardsItself, KEYS, unguarded } from "../guarded.ts";
import type { GetOptions, ListOptions, ListPage, PutOptions, Store, StoredObject } from "../store.ts";
import type { Payload, VaultKey } from "./age.ts";
import { type EncryptionKeys, found, unlock } from "./keys.ts";

/** Objects whose keys are remembered, so that a range of them takes one request. */
const MOST_KNOWN = 256;

type Age = typeof import("./age.ts");

/**
 * A store whose objects are encrypted before they leave this process: age files, which the `age` command opens, too. Its owner
 * sees keys, sizes and times, and no byte of what is in the objects; see docs/encryption.md. Whoever has one of its keys reads and
 * writes all of it. Each object is decrypted again and compared before it is stored.
 *
 * An empty store is encrypted for all keys given, at its first put; any other must be opened by one of them.
 *
 * Its calls throw what `store` throws, `KEY_WRONG` when no key fits, `STORE_NOT_ENCRYPTED` when it has plain objects, and
 * `OBJECT_DAMAGED` for an object of which a bit is another.
 */
export function encrypted(store: Store, keys: EncryptionKeys): Store {
  checkHas("list", store, "the store", 'a store such as folder("./backups")');
  if (store.checkComplete) {
    const message =
      "keys of one store must not lie in another: encrypt each of the stores that localities() is given";
    throw new PagemarkError("USAGE", message);
  }
  return guardsItself(new EncryptedStore(unguarded(store), keys));
}

class EncryptedStore implements Store {
  readonly givesChunksAway = true;
  readonly layout: Store["layout"];
  readonly description: string;
  readonly #store: Store;
  readonly #keys: EncryptionKeys;
  #vault: Promise<VaultKey | undefined> | undefined;
  #founded: Promise<VaultKey> | undefined;
  readonly #known = new Map<string, Payload>();

  constructor(store: Store, keys: EncryptionKeys) {
    this.#store = store;
    this.#keys = keys;
    this.layout = store.layout;
    this.description = `${store.description} (encrypted)`;
  }

  async put(key: string, body: Body, options: PutOptions = {}) {
    const { signal } = checkOptions(options);
    await consume(body, signal, async (chunks) => {
      checkOurs(key);
      checkTime(options);
      const vault = await this.#writable();
      if (await this.#store.head(key, { signal })) throw new ObjectExistsError(key);
      const { plain, file } = await sealed(vault, key, chunks);
      if (body instanceof Uint8Array) return this.#store.put(key, await bytesOf(file), options);
      try {
        await this.#store.put(key, file, { ...options, ownsChunks: true });
      } catch (error) {
        throw plain.error ?? error; // what made the stream fail, not that it did
      }
    });
  }

  async get(key: string, options: GetOptions = {}) {
    checkOurs(key);
    const { offset, length } = checkRange(options);
    const { signal } = options;
    signal?.throwIfAborted();
    const vault = await this.#readable();
    if (vault === undefined) throw new ObjectMissingError(key);
    const age = await import("./age.ts");
    const size = (await this.head(key, { signal }))?.size;
    if (size === undefined) throw new ObjectMissingError(key);
    const start = Math.min(offset, size);
    const end = Math.min(start + length, size);
    if (start === end && size > 0) return emptyStream();
    const payload = await this.#payload(age, vault, key, signal);
    return streamOf(this.#read(age, payload, key, start, end, size, signal));
  }

  async head(key: string, options: { signal?: AbortSignal | undefined } = {}) {
    checkOurs(key);
    await this.#readable();
    const object = await this.#store.head(key, options);
    return object && (await plainObject(object));
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const limit = pageLimit(prefix, options);
    options.signal?.throwIfAborted();
    await this.#readable();
    let { cursor } = options;
    const objects: StoredObject[] = [];
    for (;;) {
      const page = await this.#store.list(prefix, { ...options, cursor, limit: limit - objects.length });
      for (const each of page.objects) if (!each.key.startsWith(KEYS)) objects.push(await plainObject(each));
      ({ cursor } = page);
      if (cursor === undefined) return { objects };
      if (objects.length >= limit) return { objects, cursor };
    }
  }

  async delete(key: string, options?: { signal?: AbortSignal | undefined }) {
    checkOurs(key);
    await this.#readable();
    this.#known.delete(key);
    await this.#store.delete(key, options);
  }

  #readable(): Promise<VaultKey | undefined> {
    if (this.#vault !== undefined) return this.#vault;
    const vault = unlock(this.#store, this.#keys);
    this.#vault = vault;
    // A store that is empty, or does not answer, is asked again.
    vault.then((key) => key ?? this.#forget(vault)).catch(() => this.#forget(vault));
    return vault;
  }

  #forget(vault: Promise<VaultKey | undefined>) {
    if (this.#vault === vault) this.#vault = undefined;
  }

  async #writable(): Promise<VaultKey> {
    const vault = await this.#readable();
    if (vault !== undefined) return vault;
    this.#founded ??= found(this.#store, this.#keys);
    try {
      const made = await this.#founded;
      this.#vault = Promise.resolve(made);
      return made;
    } finally {
      this.#founded = undefined;
    }
  }

  async #payload(age: Age, vault: VaultKey, key: string, signal: AbortSignal | undefined): Promise<Payload> {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const head = await bytesOf(await this.#store.get(key, { length: age.START, signal }));
    const payload = await vault.open(key, head);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(key, payload);
    return payload;
  }

  /** The plain bytes from `start` up to `end`; an object of `size` bytes ends where its last chunk says so. */
  async *#read(
    { CHUNK, SEALED, START }: Age,
    payload: Payload,
    key: string,
    start: number,
    end: number,
    size: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, void> {
    const first = Math.floor(start / CHUNK);
    const chunks = Math.max(1, Math.ceil(end / CHUNK) - first);
    // One byte more than the chunks, which tells that the last of them is not the object's last.
    const length = chunks * SEALED + 1;
    const body = await this.#store.get(key, { offset: START + first * SEALED, length, signal });
    let at = first * CHUNK;
    try {
      for await (const plain of payload.chunks(chunksOf(body), first, chunks)) {
        signal?.throwIfAborted();
        const wanted = plain.subarray(Math.max(0, start - at), Math.max(0, end - at));
        at += plain.length;
        if (wanted.length > 0) yield wanted;
      }
    } catch (error) {
      this.#known.delete(key); // it may be of an object that was under the key before
      throw error;
    }
    if (at < Math.min(end, size)) throw cutOff(key, at);
  }
}

/** What was seen of plain bytes while they were encrypted. */
interface Plain {
  error?: unknown;
}

/** A file of chunks. Its end comes only once all of it was decrypted again and is what went in. */
async function sealed(
  vault: VaultKey,
  key: string,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ plain: Plain; file: ReadableStream<Uint8Array> }> {
  const [before, after] = [await sha256(), await sha256()];
  const plain: Plain = {};
  async function* noted(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for await (const chunk of chunks) {
        if (chunk.length === 0) continue;
        before.update(chunk);
        yield chunk;
      }
    } catch (error) {
      plain.error = error;
      throw error;
    }
  }
  const file = await vault.seal(streamOf(noted()));
  return { plain, file: streamOf(checked(vault, key, file, before, after)) };
}

async function* checked(
  vault: VaultKey,
  key: string,
  file: ReadableStream<Uint8Array>,
  before: Hasher,
  after: Hasher,
): AsyncGenerator<Uint8Array, void, void> {
  const { START } = await import("./age.ts");
  const queue = new Handover();
  let opened: Promise<void> | undefined;
  let head = new Uint8Array();
  const check = async (payload: Payload) => {
    for await (const chunk of payload.chunks(queue, 0, Number.POSITIVE_INFINITY)) after.update(chunk);
  };
  for await (const chunk of chunksOf(file)) {
    let rest: Uint8Array = chunk;
    if (opened === undefined) {
      head = joined(head, chunk);
      rest = head.subarray(START);
      if (head.length >= START) {
        opened = check(await vault.open(key, head.subarray(0, START)));
        opened.catch(() => {});
      }
    }
    if (opened !== undefined && rest.length > 0) await Promise.race([queue.give(rest), opened]);
    yield chunk;
  }
  queue.end();
  await opened;
  if (opened !== undefined && before.digest() === after.digest()) return;
  const message = `cannot encrypt ${JSON.stringify(key)}: decrypted again it is not what it was; check this machine's memory`;
  throw new StoreError("STORE_IO", message, { name: key });
}

/** Chunks handed from one loop to another, one at a time. */
class Handover implements AsyncIterable<Uint8Array> {
  #given: { bytes: Uint8Array | undefined; taken: () => void } | undefined;
  #wake: () => void = () => {};

  /** Resolves when the other loop comes for the next. */
  give(bytes: Uint8Array | undefined): Promise<void> {
    return new Promise((taken) => {
      this.#given = { bytes, taken };
      this.#wake();
    });
  }

  end(): void {
    void this.give(undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      if (this.#given === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const given = this.#given;
      this.#given = undefined;
      if (given?.bytes === undefined) return;
      yield given.bytes;
      given.taken();
    }
  }
}

async function plainObject({ key, size, modified }: StoredObject): Promise<StoredObject> {
  const { plainSize } = await import("./age.ts");
  return { key, size: plainSize(size), modified };
}

function checkOurs(key: string): void {
  checkKey(key);
  if (!key.startsWith(KEYS)) return;
  throw new StoreError("STORE_KEY", `${KEYS} is where an encrypted store has its keys; use another key`, {
    name: key,
  });
}

function cutOff(key: string, offset: number): StoreError {
  return new StoreError("STORE_IO", `${JSON.stringify(key)} changed while it was read; verify the backups`, {
    name: key,
    offset,
  });
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
