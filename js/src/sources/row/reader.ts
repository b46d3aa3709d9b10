// Reads the entries of one tree in its order, some at a time.

import type { Cell, Query } from "../source.ts";
import type { ColumnForm } from "./forms.ts";
import type { Tree } from "./schema.ts";
import { entriesBehind } from "./seek.ts";
import { type ExactValue, fitting, joined, Kept, Parameters, type ValueSink } from "./values.ts";

/** Columns of one statement: D1 and Durable Objects give 100, and take statements of 100,000 bytes. */
const WIDTH = 40;

/** Takes the entries of a tree. */
export interface EntrySink extends ValueSink {
  /** Begins a row of a rowid table. */
  rowid(id: number | bigint): void;
}

/** How far a tree was read. */
export interface ReaderPosition {
  /** The key of the last entry. */
  last: ExactValue[];
  /** Entries so far. */
  count: number;
}

/** Where a tree is being read. */
export class TreeReader {
  readonly tree: Tree;
  readonly #forms: readonly ColumnForm[];
  /** Where in an entry its terms of order are. */
  readonly #keys: readonly number[];
  /** The columns of each statement. */
  readonly #parts: readonly number[][];
  #last: readonly ExactValue[] | undefined;
  /** Entries taken so far. */
  count = 0;

  /** @param forms of the tree's `exprs`, as columns of the names `c0`, `c1` … */
  constructor(tree: Tree, forms: readonly ColumnForm[]) {
    this.tree = tree;
    this.#forms = forms;
    this.#parts = fitting(tree.exprs, WIDTH);
    this.#keys = tree.order.map(({ expr }) => tree.exprs.indexOf(expr));
  }

  /** Nothing before the first entry. */
  get position(): ReaderPosition | undefined {
    return this.#last && { last: [...this.#last], count: this.count };
  }

  /** Goes on behind what was read before. */
  goOn({ last, count }: ReaderPosition): void {
    this.#last = last;
    this.count = count;
  }

  /** What to ask for next: at most `limit` entries. */
  queries(limit?: number): Query[] {
    return this.#parts.map((part) => {
      const typed = part.filter((at) => this.#form(at).isTyped);
      const letters = joined(
        typed.map((at) => this.#form(at).letter),
        "||",
      );
      const columns = part.map((at) => `${this.#form(at).sql} AS v${at}`);
      const inner = part.map((at) => `${this.tree.exprs[at]} AS c${at}`).join(", ");
      const parameters = new Parameters();
      const entries = entriesBehind(this.tree, inner, this.#last, limit, parameters);
      return { sql: `SELECT ${letters} AS t, ${columns} FROM (${entries})`, values: parameters.values };
    });
  }

  /** What to ask for to learn the sizes of the next entries. */
  sizesQuery(limit: number, sizeOf: (expr: string) => string): Query {
    const parameters = new Parameters();
    const size = joined(this.tree.exprs.map(sizeOf), "+");
    return {
      sql: entriesBehind(this.tree, `${size} AS size`, this.#last, limit, parameters),
      values: parameters.values,
    };
  }

  /** Whether the answers may not be exact: then the queries, which are others now, must be asked anew. */
  distrusts(answers: readonly Cell[][][]): boolean {
    let isDistrusted = false;
    for (const [index, part] of this.#parts.entries()) {
      for (const row of answers[index] ?? []) {
        for (const [place, at] of part.entries()) {
          if (this.#form(at).distrusts(row[place + 1] ?? null)) isDistrusted = true;
        }
      }
    }
    return isDistrusted;
  }

  /**
   * Takes what {@link queries} was answered with; how many entries it was.
   *
   * @param sink is given the entries; `next` is called before each
   */
  take(answers: readonly Cell[][][], sink: EntrySink, next: () => void): number {
    const parts = this.#parts;
    const typed = parts.map((part) => part.map((at) => this.#form(at).isTyped));
    const count = answers[0]?.length ?? 0;
    const hasRowid = this.tree.kind === "table";
    for (let index = 0; index < count; index++) {
      next();
      for (const [number, part] of parts.entries()) {
        const row = answers[number]?.[index] ?? [];
        const letters = String(row[0] ?? "");
        let letter = 0;
        for (let place = 0; place < part.length; place++) {
          const at = part[place] ?? 0;
          const cell = row[place + 1] ?? null;
          const kind = typed[number]?.[place] ? (letters[letter++] ?? "") : "";
          if (at === 0 && hasRowid) sink.rowid(rowidOf(cell));
          else this.#form(at).give(cell, kind, sink);
        }
      }
    }
    if (count > 0) this.#last = this.#keyOf(answers, count - 1);
    this.count += count;
    return count;
  }

  /** The key of an answered entry. */
  #keyOf(answers: readonly Cell[][][], index: number): ExactValue[] {
    const kept = new Kept();
    for (const [number, part] of this.#parts.entries()) {
      const row = answers[number]?.[index] ?? [];
      const letters = String(row[0] ?? "");
      let letter = 0;
      for (const [place, at] of part.entries()) {
        const form = this.#form(at);
        form.give(row[place + 1] ?? null, form.isTyped ? (letters[letter++] ?? "") : "", kept);
      }
    }
    return this.#keys.map((at) => kept.values[at] ?? { type: "null" });
  }

  #form(at: number): ColumnForm {
    return this.#forms[at] as ColumnForm;
  }
}

/** A rowid that a number rounds comes as text. */
function rowidOf(cell: Cell): number | bigint {
  return typeof cell === "number" ? cell : BigInt(String(cell));
}
