import type { FileHandle } from "node:fs/promises";
import { StoreError } from "../../errors/store-error.ts";
import { failed } from "./errors.ts";

/** Bytes at a time, for readers that do not bring a buffer. */
const CHUNK = 512 * 1024;

/**
 * Streams `start` up to `end` of an open file, read as it is asked for. Closes the file at the end, when canceled and
 * when aborted. `path` names the file in errors.
 *
 * It is a byte stream because a reader that brings its buffer (`getReader({ mode: "byob" })`) then needs no other
 * memory: without, garbage of some 30 MiB piles up before it is collected.
 */
export function streamFile(
  handle: FileHandle,
  path: string,
  { start, end }: { start: number; end: number },
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  let at = start;
  let reading: Promise<number> | undefined;
  let ended: Promise<void> | undefined;
  let onAbort = () => {};

  const finish = () => {
    ended ??= (async () => {
      signal?.removeEventListener("abort", onAbort);
      await reading?.catch(() => {}); // else the number of the file could be another's by the time it is read
      await handle.close().catch(failed("read", path));
    })();
    return ended;
  };

  const readInto = async (view: Uint8Array) => {
    const wanted = Math.min(view.length, end - at);
    const { bytesRead } = await handle.read(view, 0, wanted, at).catch(failed("read", path));
    if (bytesRead > 0) return bytesRead;
    const message = `${JSON.stringify(path)} became shorter while it was read; verify the backups in this store`;
    throw new StoreError("STORE_IO", message, { name: path, offset: at });
  };

  return new ReadableStream({
    type: "bytes",
    async start(controller: ReadableByteStreamController) {
      onAbort = () => {
        controller.error(signal?.reason);
        finish().catch(() => {});
      };
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      if (at < end) return;
      controller.close();
      await finish();
    },
    async pull(controller: ReadableByteStreamController) {
      const request = controller.byobRequest;
      const own = request ? undefined : new Uint8Array(Math.min(CHUNK, end - at));
      const view = own ?? viewOf(request?.view);
      try {
        reading = readInto(view);
        const count = await reading;
        if (ended !== undefined) return; // canceled or aborted meanwhile
        at += count;
        if (own) controller.enqueue(own.subarray(0, count));
        else request?.respond(count);
      } catch (error) {
        await finish();
        throw error;
      }
      if (at < end) return;
      await finish();
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel: finish,
  });
}

function viewOf(view: ArrayBufferView | null | undefined): Uint8Array {
  return view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array();
}
