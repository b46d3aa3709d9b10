// A bucket that fails as R2 does: at chosen calls, in chosen ways.
import type { R2Binding } from "pagemark";

export type CallName =
  | "head"
  | "get"
  | "put"
  | "delete"
  | "list"
  | "createMultipartUpload"
  | "uploadPart"
  | "complete"
  | "abort";

export type Fault =
  /** `before`: nothing is done. `after`: it is done, but the answer is an error. By default an internal error, 500. */
  | { how: "before" | "after"; error?: Error }
  /** Done only after so many milliseconds. */
  | { how: "slow"; time: number }
  /** Never answered, and not done. */
  | { how: "hang" }
  /** A get's body: breaks off in the middle, or ends there as if that were all. A put stores half, and fails. */
  | { how: "torn" | "short" }
  /** A list that does not know of anything yet. */
  | { how: "stale" };

export const internal = () => new Error("put: We encountered an internal error. Please try again. (10001)");
export const tooMany = () => new Error("put: Reduce your rate of simultaneous reads (10058)");
export const lost = () => new Error("Network connection lost.");
export const denied = () => new Error("put: Access Denied (10003)");
export const noBucket = () => new Error("put: The specified bucket does not exist. (10006)");

export interface FaultyBucket {
  bucket: R2Binding;
  /** What was called so far. */
  calls: CallName[];
}

/** `bucket`, at whose `number`th call (from 1) of each name `fault` may happen. */
export function faulty(
  bucket: R2Binding,
  fault: (call: CallName, number: number) => Fault | undefined,
): FaultyBucket {
  const calls: CallName[] = [];
  async function run<T>(call: CallName, work: (fault?: Fault) => Promise<T>): Promise<T> {
    calls.push(call);
    const found = fault(call, calls.filter((name) => name === call).length);
    if (found?.how === "before") throw found.error ?? internal();
    if (found?.how === "hang") return new Promise<T>(() => {});
    if (found?.how === "slow") await new Promise((resolve) => setTimeout(resolve, found.time));
    const answer = await work(found);
    if (found?.how === "after") throw found.error ?? internal();
    return answer;
  }
  const wrapped = (upload: ReturnType<R2Binding["resumeMultipartUpload"]>) => ({
    key: upload.key,
    uploadId: upload.uploadId,
    uploadPart: (number: number, value: Uint8Array) =>
      run("uploadPart", () => upload.uploadPart(number, value)),
    complete: (parts: { partNumber: number; etag: string }[]) =>
      run("complete", () => upload.complete(parts)),
    abort: () => run("abort", () => upload.abort()),
  });
  const made: R2Binding = {
    head: (key) => run("head", () => bucket.head(key)),
    get: (key, options) =>
      run("get", async (fault) => {
        const found = await bucket.get(key, options);
        if (!found?.body || (fault?.how !== "torn" && fault?.how !== "short")) return found;
        const { size, etag, uploaded } = found;
        const length = (options?.range?.length ?? size - (options?.range?.offset ?? 0)) >> 1;
        return { key, size, etag, uploaded, body: cutOff(found.body, length, fault.how) };
      }),
    put: (key, value, options) =>
      run("put", async (fault) => {
        if (fault?.how !== "torn" || !(value instanceof Uint8Array)) return bucket.put(key, value, options);
        await bucket.put(key, value.slice(0, value.length >> 1), options);
        throw lost();
      }),
    delete: (key) => run("delete", () => bucket.delete(key)),
    list: (options) =>
      run("list", async (fault) =>
        fault?.how === "stale" ? { objects: [], truncated: false } : bucket.list(options),
      ),
    createMultipartUpload: (key) =>
      run("createMultipartUpload", async () => wrapped(await bucket.createMultipartUpload(key))),
    resumeMultipartUpload: (key, id) => wrapped(bucket.resumeMultipartUpload(key, id)),
  };
  return { bucket: made, calls };
}

function cutOff(body: ReadableStream<Uint8Array>, length: number, how: "torn" | "short") {
  const reader = body.getReader();
  let left = length;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value } = left > 0 ? await reader.read() : { value: undefined };
      if (value) controller.enqueue(value.slice(0, left));
      left -= value?.length ?? 0;
      if (left > 0) return;
      await reader.cancel();
      if (how === "torn") controller.error(lost());
      else controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
