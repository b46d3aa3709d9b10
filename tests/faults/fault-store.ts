// A store that fails as stores and processes do: at chosen operations, in chosen ways, once or for good.
import type { GetOptions, ListOptions, PutOptions, Store } from "pagemark";

/** An operation on the store. A put counts when its body has come, which is when it would be stored. */
export interface Operation {
  /** Counted from 1. */
  number: number;
  kind: "put" | "get" | "head" | "list" | "delete";
  /** The key, or a list's prefix. */
  key: string;
}

/** Where a put's body is cut. */
export type Cut = 0 | 1 | "half" | "last";

export type Fault =
  /** `before`: nothing is done. `after`: it is done, but the answer is an error. */
  | { how: "before" | "after" }
  /** A put breaks off in mid-body, and leaves nothing. Other operations do nothing. */
  | { how: "torn"; cut: Cut }
  /** A get's bytes: one is missing at the end, the last one is wrong, or the stream breaks off in the middle. */
  | { how: "short" | "wrong" | "broken" }
  /** A list does not know the keys that `hides` says. */
  | { how: "stale"; hides: (key: string) => boolean };

export interface FaultOptions {
  fault?: (operation: Operation) => Fault | undefined;
  /** After the first fault the process is gone: nothing reaches the store any more, not even cleaning up. */
  crash?: boolean;
  error?: (operation: Operation) => Error;
  /** Most objects a list gives. */
  pageSize?: number;
  /** Waits before each operation. */
  delay?: () => Promise<void>;
}

export class FaultStore implements Store {
  readonly layout = "folder";
  readonly description = "a store that fails";
  /** What was asked of it so far. */
  readonly operations: Operation[] = [];
  readonly #store: Store;
  readonly #options: FaultOptions;
  #dead = false;

  constructor(store: Store, options: FaultOptions = {}) {
    this.#store = store;
    this.#options = options;
  }

  async put(key: string, body: ReadableStream<Uint8Array> | Uint8Array, options?: PutOptions): Promise<void> {
    await this.#options.delay?.();
    const bytes = body instanceof Uint8Array ? body : await bytesOfBody(body);
    await this.#run("put", key, (fault) => {
      if (fault?.how !== "torn") return this.#store.put(key, bytes, options);
      return this.#store.put(key, tornBody(bytes, fault.cut), options);
    });
  }

  async get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    await this.#options.delay?.();
    return this.#run("get", key, async (fault) => {
      const stream = await this.#store.get(key, options);
      return fault && ["short", "wrong", "broken"].includes(fault.how) ? spoilt(stream, fault.how) : stream;
    });
  }

  async head(key: string, options?: { signal?: AbortSignal | undefined }) {
    await this.#options.delay?.();
    return this.#run("head", key, () => this.#store.head(key, options));
  }

  async list(prefix: string, options?: ListOptions) {
    await this.#options.delay?.();
    const { pageSize } = this.#options;
    return this.#run("list", prefix, async (fault) => {
      const page = await this.#store.list(prefix, { ...options, ...(pageSize && { limit: pageSize }) });
      if (fault?.how !== "stale") return page;
      return { ...page, objects: page.objects.filter(({ key }) => !fault.hides(key)) };
    });
  }

  async delete(key: string, options?: { signal?: AbortSignal | undefined }): Promise<void> {
    await this.#options.delay?.();
    await this.#run("delete", key, () => this.#store.delete(key, options));
  }

  async #run<T>(kind: Operation["kind"], key: string, work: (fault?: Fault) => Promise<T>): Promise<T> {
    if (this.#dead) throw new Error("the process is gone");
    const operation = { number: this.operations.length + 1, kind, key };
    this.operations.push(operation);
    const fault = this.#options.fault?.(operation);
    if (!fault) return work();
    if (fault.how !== "before" && fault.how !== "after" && fault.how !== "torn") return work(fault);
    this.#dead = this.#options.crash ?? false;
    if (fault.how === "after") await work();
    if (fault.how === "torn" && kind === "put") await work(fault).catch(() => {});
    throw this.#options.error?.(operation) ?? new Error(`injected at operation ${operation.number}, ${kind}`);
  }
}

async function bytesOfBody(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts = await Array.fromAsync(body);
  return new Uint8Array(Buffer.concat(parts));
}

/** The first bytes of `bytes`, then an error. */
function tornBody(bytes: Uint8Array, cut: Cut): ReadableStream<Uint8Array> {
  const length = cut === "half" ? bytes.length >> 1 : cut === "last" ? bytes.length - 1 : cut;
  const rest = [bytes.subarray(0, length)];
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = rest.pop();
      if (next) controller.enqueue(next);
      else controller.error(new Error("the connection broke"));
    },
  });
}

function spoilt(stream: ReadableStream<Uint8Array>, how: Fault["how"]): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      const bytes = await bytesOfBody(stream);
      const { length } = bytes;
      if (how === "wrong" && length > 0) bytes[length - 1] = (bytes[length - 1] as number) ^ 0x10;
      controller.enqueue(
        how === "wrong" ? bytes : bytes.subarray(0, how === "short" ? length - 1 : length >> 1),
      );
      if (how === "broken") controller.error(new Error("the connection was reset"));
      else controller.close();
    },
  });
}
