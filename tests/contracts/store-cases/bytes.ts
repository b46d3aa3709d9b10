import type { ListOptions, Store, StoredObject } from "pagemark";

/** `length` bytes that look random, and differ by `seed`. */
export function bytes(length: number, seed = 1): Uint8Array {
  const made = new Uint8Array(length);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    made[i] = state;
  }
  return made;
}

/** What a test sees of a body while it is put. */
export interface Body {
  stream: ReadableStream<Uint8Array>;
  /** Resolves with the reason when the store gives up on it. */
  canceled: Promise<unknown>;
}

/** A body of these chunks; after them `end` decides: close, fail, or do nothing, which never ends. */
export function bodyOf(
  chunks: readonly Uint8Array[],
  end: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void> = (c) => c.close(),
): Body {
  let at = 0;
  let onCancel: (reason: unknown) => void = () => {};
  const canceled = new Promise<unknown>((resolve) => {
    onCancel = resolve;
  });
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[at++];
      if (chunk) controller.enqueue(chunk);
      else return end(controller);
    },
    cancel: (reason) => onCancel(reason),
  });
  return { stream, canceled };
}

/** Cuts `whole` into pieces of these sizes, over and over. Copies: each piece is a stream's own. */
export function cut(whole: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, i = 0; at < whole.length; i++) {
    const piece = whole.slice(at, at + (sizes[i % sizes.length] ?? whole.length));
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
  }
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Every page of a list. */
export async function pages(
  store: Store,
  prefix: string,
  options: ListOptions = {},
): Promise<StoredObject[][]> {
  const found: StoredObject[][] = [];
  let cursor = options.cursor;
  do {
    const page = await store.list(prefix, { ...options, cursor });
    found.push(page.objects);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

export async function listed(store: Store, prefix = "", options: ListOptions = {}): Promise<string[]> {
  return (await pages(store, prefix, options)).flat().map(({ key }) => key);
}

/** In the order of a list: that of the bytes, as keys are ASCII. */
export function sorted(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => (a < b ? -1 : 1));
}

/** Puts a few bytes under each key, some at a time. */
export async function putAll(store: Store, keys: readonly string[]): Promise<void> {
  const left = keys.entries();
  const worker = async () => {
    for (const [i, key] of left) await store.put(key, bytes(1 + (i % 7), i));
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
