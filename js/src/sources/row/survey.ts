// What is known of tables before their rows are read. Of many small ones that is learnt by one call, and so are their rows
// read then: a database may have more tables than a Worker may make calls.

import type { Cell, Query } from "../source.ts";
import {
  averageOf,
  profileFrom,
  profileQueries,
  smallProfileFrom,
  smallProfileQueries,
  type TableProfile,
} from "./profile.ts";
import type { Table, Tree } from "./schema.ts";
import { QUERY } from "./together.ts";

/** A table is small up to this part of what is asked for at once. */
const SMALL = 16;

/** A table that is read together with others. */
export interface SmallTable {
  trees: readonly Tree[];
  profile: TableProfile;
}

/** Looks at the tables of a database in order, some time before they are read. */
export class Survey {
  readonly #tables: readonly Table[];
  readonly #answerBytes: number;
  readonly #ask: (queries: readonly Query[]) => Promise<Cell[][][]>;
  /** Profiles of tables that were looked at; nothing for one that is not small. */
  readonly #known = new Map<number, TableProfile | undefined>();

  constructor(
    tables: readonly Table[],
    answerBytes: number,
    ask: (queries: readonly Query[]) => Promise<Cell[][][]>,
  ) {
    this.#tables = tables;
    this.#answerBytes = answerBytes;
    this.#ask = ask;
  }

  /** The tables from number `at` on that can be read at once; none where that one is to be read by itself. */
  async smallFrom(at: number): Promise<SmallTable[]> {
    const small: SmallTable[] = [];
    for (let bytes = 0; at + small.length < this.#tables.length; ) {
      const number = at + small.length;
      if (!this.#known.has(number)) await this.#look(number);
      const { trees } = this.#tables[number] as Table;
      const profile = this.#known.get(number);
      if (!profile) break;
      for (const { exprs } of trees) bytes += Math.max(QUERY, profile.rows * averageOf(profile, exprs));
      if (bytes > this.#answerBytes) break;
      small.push({ trees, profile });
      this.#known.delete(number);
    }
    return small;
  }

  /** What a table holds that is read by itself. */
  async profileOf(at: number): Promise<TableProfile> {
    const { trees } = this.#tables[at] as Table;
    const known = this.#known.get(at);
    this.#known.delete(at);
    return known ?? profileFrom(trees, await this.#ask(profileQueries(trees)));
  }

  /** Looks at the tables from number `at` on. */
  async #look(at: number): Promise<void> {
    const looked: { trees: Tree[]; queries: Query[] }[] = [];
    let count = 0;
    for (const { trees } of this.#tables.slice(at)) {
      const queries = smallProfileQueries(trees, Math.floor(this.#answerBytes / SMALL));
      count += queries.length;
      if (looked.length > 0 && count * QUERY > this.#answerBytes) break;
      looked.push({ trees, queries });
    }
    const answers = await this.#ask(looked.flatMap(({ queries }) => queries));
    for (const [index, { trees, queries }] of looked.entries()) {
      this.#known.set(at + index, smallProfileFrom(trees, answers.splice(0, queries.length)));
    }
  }
}
