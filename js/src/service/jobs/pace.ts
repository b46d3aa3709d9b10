// Work of a job in slices: an object does one thing at a time, and clocks stand still while it computes.

import { free } from "../../core/free.ts";
import type { PageSource } from "../../sources/source.ts";

/** What is made or run between two pauses, in bytes: a few milliseconds of work, tens at most. */
const SLICE = 64 << 10;

/** Lets others have their turn: requests that came in meanwhile run before it ends. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * The bytes of a stream in pieces that are no slice longer than one, with a pause after each slice. Ends with the
 * signal's reason; who stops early cancels the stream.
 */
export async function* paced(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let since = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; at += SLICE) {
      signal.throwIfAborted();
      const piece = chunk.subarray(at, at + SLICE);
      yield piece;
      since += piece.length;
      if (since < SLICE) continue;
      since = 0;
      await pause();
    }
    // Who asks for more has taken all of it.
    free(chunk);
  }
  signal.throwIfAborted();
}

/** The same texts, with a pause after each slice of them. */
export async function* pacedTexts(texts: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  let since = 0;
  for await (const text of texts) {
    yield text;
    since += text.length;
    if (since < SLICE) continue;
    since = 0;
    await pause();
  }
}

/** The pages of a database, with a pause after each read. What changed it does not tell: it is for what reads all it needs. */
export function pacedSource(source: PageSource): PageSource {
  return {
    name: source.name,
    async pin(options) {
      const moment = await source.pin(options);
      const { pageSize, pageCount, taken, identity } = moment;
      return {
        pageSize,
        pageCount,
        taken,
        ...(identity && { identity }),
        async read(...wanted) {
          await moment.read(...wanted);
          await pause();
        },
        release: () => moment.release(),
      };
    },
  };
}

/** Lets so many run at once; the others wait in line. */
export class Semaphore {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `work` when it is its turn, or not at all if `signal` says so before. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
