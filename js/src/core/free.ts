/**
 * Frees the memory of bytes that nobody looks at any more: the collector takes tens of megabytes to notice. Not when
 * they are part of a larger buffer, which others may be in too; nor before Node 22, which cannot.
 */
export function free({ buffer, byteLength }: Uint8Array): void {
  const isAll = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  if (isAll && byteLength > 0) buffer.transfer?.(0);
}

/** What `use` makes of something that the wasm keeps until it is freed, as it is afterwards. */
export function freeing<Handle extends { free(): void }, T>(handle: Handle, use: (handle: Handle) => T): T {
  let result: T;
  try {
    result = use(handle);
  } catch (error) {
    handle.free();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => handle.free()) as T;
  handle.free();
  return result;
}
