import type { Machine } from "../core/index.ts";
import { PagemarkError } from "../errors/index.ts";
import { ObjectReader } from "../objects/object-reader.ts";
import { guarded } from "../stores/guarded.ts";
import type { Store } from "../stores/store.ts";
import { collect } from "../streams/streams.ts";
import { Canceled, drive, type Outcome, type Reply, type Request } from "./drive.ts";

/** These are performed whatever the signal says: they let go, or leave nothing half-done. */
const CLEANS_UP: ReadonlySet<Request["kind"]> = new Set([
  "release",
  "close",
  "closeStored",
  "abort",
  "delete",
]);

/** Performs what machines ask of a store. */
export class StoreHost {
  readonly #store: Store;
  readonly #signal: AbortSignal | undefined;
  readonly #readers = new Map<string, ObjectReader>();

  constructor(store: Store, signal: AbortSignal | undefined) {
    this.#store = guarded(store);
    this.#signal = signal;
  }

  /** @throws Canceled when the signal says so */
  check(request: Request): void {
    if (this.#signal?.aborted && !CLEANS_UP.has(request.kind)) throw new Canceled(this.#signal.reason);
  }

  async perform(request: Request): Promise<Reply> {
    this.check(request);
    switch (request.kind) {
      case "list":
        return this.#list(request.prefix, request.cursor);
      case "get": {
        const { key, most: length } = request;
        return collect(await this.#store.get(key, { length, signal: this.#signal }), length);
      }
      case "put": {
        const modified = new Date(request.modifiedMs);
        await this.#store.put(request.key, request.bytes ?? new Uint8Array(), {
          modified,
          signal: this.#signal,
        });
        return undefined;
      }
      case "delete":
        await this.#store.delete(request.key);
        return undefined;
      case "remove":
        await this.#store.delete(request.key, { signal: this.#signal });
        return undefined;
      case "read":
        return this.#read(request.key, request.proof);
      case "close":
        await this.#readers.get(request.key)?.close();
        this.#readers.delete(request.key);
        return undefined;
      default:
        throw new PagemarkError("INTERNAL", `a store does not perform ${request.kind}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readers.values()].map((reader) => reader.close()));
  }

  async #list(prefix: string, cursor: string | undefined): Promise<Reply> {
    const page = await this.#store.list(prefix, { cursor, signal: this.#signal });
    const { objects } = page;
    return (machine, id) =>
      machine.listing(
        id,
        objects.map((object) => object.key),
        Float64Array.from(objects, ({ size }) => size),
        Float64Array.from(objects, ({ modified }) => modified.getTime()),
        page.cursor,
      );
  }

  async #read(key: string, proof: { sha256: string; size: number }): Promise<Uint8Array> {
    let reader = this.#readers.get(key);
    if (!reader) {
      reader = await ObjectReader.open(
        this.#store,
        { key, ...proof },
        Number.POSITIVE_INFINITY,
        this.#signal,
      );
      this.#readers.set(key, reader);
    }
    const bytes = await reader.next();
    if (bytes.length === 0) this.#readers.delete(key);
    return bytes;
  }
}

/** Runs a machine that asks for nothing but what a store can do. It is freed, unless `use` keeps it. */
export async function driveOnStore<T, U>(
  machine: Machine,
  store: Store,
  signal: AbortSignal | undefined,
  use: (outcome: Outcome<T>, machine: Machine) => U,
): Promise<U> {
  const host = new StoreHost(store, signal);
  try {
    return use(await drive<T>(machine, (request) => host.perform(request)), machine);
  } finally {
    await host.close();
    machine.free();
  }
}
