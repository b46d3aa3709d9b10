// A store that fails as stores and processes do: at one operation, once or from then on.
import type { GetOptions, ListOptions, PutOptions, Store } from "pagemark";

export interface Fault {
  /** The operation that fails, counted from 1. */
  at: number;
  /** `before`: it does nothing. `after`: it is done, but answers with an error. `torn`: a put ends in mid-body. */
  how: "before" | "after" | "torn";
  /** The process is gone: nothing after it reaches the store, not even cleaning up. */
  crash: boolean;
}

export class FaultStore implements Store {
  readonly layout = "folder";
  readonly description = "a store that fails";
  /** Operations so far. */
  operations = 0;
  readonly #store: Store;
  readonly #fault: Fault | undefined;

  constructor(store: Store, fault?: Fault) {
    this.#store = store;
    this.#fault = fault;
  }

  put(key: string, body: ReadableStream<Uint8Array> | Uint8Array, options?: PutOptions): Promise<void> {
    return this.#run(
      () => this.#store.put(key, body, options),
      () => this.#store.put(key, torn(body), options),
    );
  }

  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#run(() => this.#store.get(key, options));
  }

  head(key: string) {
    return this.#run(() => this.#store.head(key));
  }

  list(prefix: string, options?: ListOptions) {
    return this.#run(() => this.#store.list(prefix, options));
  }

  delete(key: string): Promise<void> {
    return this.#run(() => this.#store.delete(key));
  }

  async #run<T>(work: () => Promise<T>, tornWork: () => Promise<T> = work): Promise<T> {
    const operation = ++this.operations;
    const fault = this.#fault;
    if (!fault || operation < fault.at || (operation > fault.at && !fault.crash)) return work();
    if (operation === fault.at && fault.how === "torn") await tornWork();
    if (operation === fault.at && fault.how === "after") await work();
    throw new Error(`injected at operation ${operation}`);
  }
}

/** The first bytes of `body`, then an error. */
function torn(body: ReadableStream<Uint8Array> | Uint8Array): ReadableStream<Uint8Array> {
  const whole = body instanceof Uint8Array ? new Blob([body as Uint8Array<ArrayBuffer>]).stream() : body;
  const reader = whole.getReader();
  let chunks = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done || ++chunks > 1) {
        await reader.cancel();
        controller.error(new Error("the connection broke"));
      } else controller.enqueue(value.subarray(0, value.length >> 1));
    },
  });
}
