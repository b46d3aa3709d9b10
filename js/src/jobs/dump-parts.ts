import { currentPlatform, type DumpCore, type DumpHelper, type WrittenPart } from "../core/index.ts";
import type { Moment } from "../sources/source.ts";
import type { Dialect, DumpOptions } from "./dump.ts";

/** SQL that can be taken. */
export interface Sql {
  /** In bytes. */
  readonly outputLength: number;
  /** Takes as much as `into` has room for; gives how much that was, in bytes. */
  takeOutput(into: Uint8Array): number;
}

type Dump = InstanceType<DumpCore["Dump"]>;

/** Below this a thread costs more than it saves, in bytes. */
const WORTH_A_THREAD = 32 << 20;
/** The most SQL to take at once, in bytes. */
const MOST_AT_ONCE = 1 << 20;

/** The parts of a dump that another thread writes, in their order. */
export class DumpParts {
  readonly #helper: DumpHelper;
  readonly #signal: AbortSignal | undefined;
  readonly #given: Promise<WrittenPart>[] = [];
  /** How many of them are written. */
  #written = 0;
  readonly #stop = () => void this.#helper.close();

  /** Nothing where there is no thread for it, or where it would not be worth it. */
  static start(moment: Moment, options: DumpOptions & { dialect: Dialect }): DumpParts | undefined {
    const { dialect, tables = [], noData = false, noSchema = false, salvage = false, signal } = options;
    if (noData || salvage || moment.pageSize * moment.pageCount < WORTH_A_THREAD) return undefined;
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

  /** Puts the oldest part where `dump` stands, or leaves it to `dump`. Yields what can be taken. */
  async *paste(dump: Dump): AsyncGenerator<Sql, void, void> {
    while (dump.outputLength > 0) yield dump;
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
        if (dump.outputLength >= MOST_AT_ONCE) while (dump.outputLength > 0) yield dump;
      }
      while (dump.outputLength > 0) yield dump;
      const rest = new Text(text.subarray(start));
      while (rest.outputLength > 0) yield rest;
    }
    this.#helper.reuse(text);
  }

  async end(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#stop);
    await this.#helper.close();
  }
}

class Text implements Sql {
  #text: Uint8Array;

  constructor(text: Uint8Array) {
    this.#text = text;
  }

  get outputLength(): number {
    return Math.min(this.#text.length, MOST_AT_ONCE);
  }

  takeOutput(into: Uint8Array): number {
    const part = this.#text.subarray(0, into.length);
    into.set(part);
    this.#text = this.#text.subarray(part.length);
    return part.length;
  }
}
