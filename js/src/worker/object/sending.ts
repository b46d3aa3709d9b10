// Files on their way out of an object.
import { free } from "../../core/free.ts";
import { PagemarkError } from "../../entry/workerd.ts";
import type { Asking, Download } from "../../service/service.ts";

/** Each has a megabyte or two in memory until its client takes them; who may only read has half of them. */
const MOST = 16;
/** Whoever takes nothing for so long makes room for others, in milliseconds. */
const STALLED_MS = 300_000;

/** The files that an object sends: so many at once that they fit into memory, also where nobody reads them. */
export class Sending {
  #all = 0;
  #readers = 0;

  /** Sends what `make` gives. @throws PagemarkError `OVERLOADED` */
  async send(make: () => Promise<Download>, asking: Asking = {}): Promise<Download> {
    const leave = this.#enter(asking);
    try {
      const download = await make();
      const reader = download.body.getReader();
      // What fails at once is an error of the call, and no file that breaks off.
      const first = await reader.read();
      return { ...download, body: streamed(reader, first, leave) };
    } catch (error) {
      leave();
      throw error;
    }
  }

  #enter({ readonly = false }: Asking): () => void {
    if (this.#all >= MOST || (readonly && this.#readers >= MOST / 2)) {
      const count = readonly ? this.#readers : this.#all;
      const message = `${count} downloads of the database are under way; try again when one has ended`;
      throw new PagemarkError("OVERLOADED", message);
    }
    this.#all++;
    if (readonly) this.#readers++;
    return () => {
      this.#all--;
      if (readonly) this.#readers--;
    };
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Chunk = Awaited<ReturnType<Reader["read"]>>;

/** After so much others have a turn: where who reads is quick, nothing else would wait, and nobody else would have one. */
const TURN_BYTES = 1 << 19;

/**
 * A stream of workerd's own, which alone goes from one object to another; `ended` is called at its end, however that
 * comes. Chunks are freed when they are on their way: nobody else may look at them.
 */
function streamed(reader: Reader, first: Chunk, ended: () => void): ReadableStream<Uint8Array> {
  const { readable, writable } = new IdentityTransformStream();
  pump(reader, first, writable as WritableStream<Uint8Array>)
    .catch(() => {}) // who reads it hears of an error there
    .finally(ended);
  return readable as ReadableStream<Uint8Array>;
}

async function pump(reader: Reader, first: Chunk, to: WritableStream<Uint8Array>): Promise<void> {
  const writer = to.getWriter();
  let sent = 0;
  try {
    for (let chunk = first; ; chunk = await reader.read()) {
      const { done, value } = chunk;
      if (done) return await writer.close();
      await taken(writer.write(value));
      sent += value.length;
      free(value);
      if (sent < TURN_BYTES) continue;
      await new Promise((resolve) => setTimeout(resolve));
      sent = 0;
    }
  } catch (error) {
    // A write that nobody takes does not end.
    writer.abort(error).catch(() => {});
    await reader.cancel(error).catch(() => {});
  }
}

/** Waits until somebody has taken what is written, but not for ever. */
async function taken(write: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stalled = new Promise<never>((_, refuse) => {
    const message = `nobody has read on for ${STALLED_MS / 1000} s`;
    timer = setTimeout(() => refuse(new PagemarkError("CANCELED", message)), STALLED_MS);
  });
  try {
    await Promise.race([write, stalled]);
  } finally {
    clearTimeout(timer);
  }
}
