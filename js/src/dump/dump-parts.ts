import { currentPlatform, type DumpCore, type DumpHelper, type WrittenPart } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";
import type { Dialect, DumpDetails } from "./options.ts";

type Dump = InstanceType<DumpCore["Dump"]>;

/** Below this a thread costs more than it saves, in bytes. */
const WORTH_A_THREAD = 32 << 20;
/** So much SQL that was put into other statements is taken before there is more, in bytes. */
const MUCH = 256 << 10;

/** The parts of a dump that another thread writes, in their order. */
export class DumpParts {
  readonly #helper: DumpHelper;
  readonly #signal: AbortSignal | undefined;
  readonly #given: Promise<WrittenPart>[] = [];
  /** How many of them are written. */
  #written = 0;
  readonly #stop = () => void this.#helper.close();

  /** Nothing where there is no thread for it, or where it would not be worth it. */
  static start(moment: Moment, options: DumpDetails & { dialect: Dialect }): DumpParts | undefined {
    const { dialect, tables = [], noData = false, noSchema = false, salvage = false, signal } = options;
    // A load waits for the database that it writes to, not for this.
    if (noData || salvage || options.inBatches || moment.pageSize * moment.pageCount < WORTH_A_THREAD)
      return undefined;
    const platform = currentPlatform();
    const files = platform.dumpHelper && moment.files;
    const helper = files && platform.dumpHelper?.({ files, dialect, tables, noData, noSchema });
    return helper && new DumpParts(helper, signal);
  }

  private constructor(helper: DumpHelper, signal: AbortSignal | undefined) {
    this.#helper = helper;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#stop);
  }

  /** Gives the helper as much as it takes of what `dump` has not come to. */
  give(dump: Dump): void {
    while (this.#helper.isFree) {
      // One part for each of both threads; more for the helper when what it did is waiting.
      const part = dump.give(this.#written > 0 ? 0 : 1);
      if (!part) return;
      this.#given.push(this.#write(part));
    }
  }

  async #write(part: Uint8Array): Promise<WrittenPart> {
    const written = await this.#helper.write(part);
    this.#written++;
    return written;
  }

  /** Puts the oldest part where `dump` stands, or leaves it to `dump`. Yields chunks as {@link takeOutput} does. */
  async *paste(dump: Dump, memory: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    yield* takeOutput(dump, memory);
    const written = this.#given.shift();
    if (!written) throw new Error("no part was given away");
    const { text, outcome } = await written;
    this.#written--;
    if (dump.paste(outcome)) {
      let start = 0;
      for (let wanted = dump.wanted; wanted > 0; wanted = dump.wanted) {
        dump.repack(text.subarray(start, start + wanted));
        start += wanted;
        // All of it, as what is left would stay in memory with what was taken before it.
        if (dump.outputLength >= MUCH) yield* takeOutput(dump, memory);
      }
      yield* takeOutput(dump, memory);
      if (start < text.length) yield text.subarray(start);
    }
    this.#helper.reuse(text);
  }

  async end(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#stop);
    await this.#helper.close();
  }
}

/** What is taken at once, in bytes: mostly all there is. */
export const OUTPUT_CHUNK = 320 << 10;

/** The SQL that `dump` has written, in `memory` again and again. */
export function* takeOutput(
  dump: InstanceType<DumpCore["Dump"]>,
  memory: Uint8Array,
): Generator<Uint8Array, void, void> {
  while (dump.outputLength > 0) yield memory.subarray(0, dump.takeOutput(memory));
}
