import { type Room, roomFor } from "../../opfs/scratch.ts";
import { type Look, lookAgain, type View, viewOf } from "./snapshot.ts";

/** Read at a time, in bytes, and so many at once. */
const CHUNK = 4 << 20;
const AT_ONCE = 2;

/**
 * Copies a database. Gives nothing when it did not hold still meanwhile.
 *
 * All of it is read twice, with a look at the journal between. When both times the same was there, it was there at the time
 * of that look, too: a page that changed and changed back between would belong to a transaction that was rolled back, whose
 * journal lies there as long, or to two commits, which raise the change counter. And without a journal at that time it
 * was one committed state; with one that did not change, it is that after the journal was rolled back.
 */
export async function copyOf(
  first: Look,
  signal: AbortSignal | undefined,
): Promise<{ size: number; room: Room } | undefined> {
  const view = await viewOf(first, signal);
  const room = await roomFor(view.size);
  let isDone = false;
  try {
    const isRead = await eachChunk(view, signal, async (chunk, offset) => {
      await room.write(chunk, offset);
      return true;
    });
    if (!isRead) return undefined;
    await room.seal();
    isDone = await isStillThere(first, view.size, room, signal);
    return isDone ? { size: view.size, room } : undefined;
  } finally {
    view.free();
    if (!isDone) await room.close();
  }
}

async function isStillThere(
  first: Look,
  size: number,
  room: Room,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const second = await lookAgain(first);
  if (!second) return false;
  // Only what both logs of a write-ahead VFS hold is moved into the database, until one begins anew: that shows in its
  // first bytes. Transactions that were added since are no matter.
  if (first.ahead) return true;
  const view = await viewOf(second, signal);
  try {
    if (view.size !== size) return false;
    return await eachChunk(view, signal, async (chunk, offset) => {
      const copied = new Uint8Array(chunk.length);
      return (await room.read(offset, copied)) === chunk.length && areEqual(chunk, copied);
    });
  } finally {
    view.free();
  }
}

/** Reads all of a view in order; `false` when it ended early, or `use` said so. */
async function eachChunk(
  view: View,
  signal: AbortSignal | undefined,
  use: (chunk: Uint8Array, offset: number) => Promise<boolean>,
): Promise<boolean> {
  const reading: Promise<Uint8Array | undefined>[] = [];
  let next = 0;
  const read = async (offset: number) => {
    const chunk = new Uint8Array(Math.min(CHUNK, view.size - offset));
    return (await view.read(offset, chunk)) === chunk.length ? chunk : undefined;
  };
  for (let offset = 0; offset < view.size; offset += CHUNK) {
    signal?.throwIfAborted();
    for (; reading.length < AT_ONCE && next < view.size; next += CHUNK) {
      const chunk = read(next);
      // Thrown when its turn has come.
      chunk.catch(() => {});
      reading.push(chunk);
    }
    const chunk = await reading.shift();
    if (!chunk || !(await use(chunk, offset))) return false;
  }
  return true;
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  const [words, others] = [a, b].map((bytes) => new Uint32Array(bytes.buffer, 0, bytes.length >> 2));
  for (let i = 0; words && i < words.length; i++) if (words[i] !== others?.[i]) return false;
  for (let i = a.length & ~3; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
