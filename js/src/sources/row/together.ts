// Entries of several trees, by one call: a database may have more trees than a Worker may make calls.
import type { Cell, Query } from "../source.ts";
import type { TreeReader } from "./reader.ts";

/** A query counts for so many bytes at least: it takes its time, too. */
export const QUERY = 4 << 10;

/** What a reader has to give, about. */
export interface Expected {
  reader: TreeReader;
  /** One more than the entries that there are. */
  limit: number;
  bytes: number;
}

/** Readers that are used in order: those that have little to give are asked together. */
export class Ahead {
  readonly #waiting: Expected[];
  readonly #answerBytes: number;
  readonly #ask: (queries: readonly Query[]) => Promise<Cell[][][]>;
  #answers = new Map<TreeReader, Cell[][][]>();

  constructor(
    waiting: Expected[],
    answerBytes: number,
    ask: (queries: readonly Query[]) => Promise<Cell[][][]>,
  ) {
    this.#waiting = waiting;
    this.#answerBytes = answerBytes;
    this.#ask = ask;
  }

  /** What the next reader's queries were answered with, for so many entries at most; nothing where it has much to give. */
  async next(): Promise<{ answers: Cell[][][]; limit: number } | undefined> {
    const next = this.#waiting[0];
    if (!next) return undefined;
    if (!this.#answers.has(next.reader)) {
      const few: Expected[] = [];
      let bytes = 0;
      for (const each of this.#waiting) {
        bytes += Math.max(QUERY, each.bytes);
        if (bytes > this.#answerBytes) break;
        few.push(each);
      }
      this.#answers = await askTogether(few, this.#ask);
    }
    this.#waiting.shift();
    const answers = this.#answers.get(next.reader);
    this.#answers.delete(next.reader);
    return answers && { answers, limit: next.limit };
  }
}

/**
 * What each reader's queries are answered with, exactly: where an answer may not be exact, all of it is asked for again.
 *
 * @param asked with how many entries are wanted at most, all unless given
 */
export async function askTogether(
  asked: readonly { reader: TreeReader; limit?: number }[],
  ask: (queries: readonly Query[]) => Promise<Cell[][][]>,
): Promise<Map<TreeReader, Cell[][][]>> {
  for (; asked.length > 0; ) {
    const queries = asked.map(({ reader, limit }) => reader.queries(limit));
    const rows = await ask(queries.flat());
    const answers = new Map(
      asked.map(({ reader }, at) => [reader, rows.splice(0, queries[at]?.length ?? 0)]),
    );
    const isExact = asked.filter(({ reader }) => reader.distrusts(answers.get(reader) ?? [])).length === 0;
    if (isExact) return answers;
  }
  return new Map();
}
