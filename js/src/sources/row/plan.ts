// What is to be read of a database that tells which rows changed, and how.

import { type Cell, CHANGES, type Query, type RowSource } from "../source.ts";
import { ANYTHING, ColumnForm } from "./forms.ts";
import { refuseHalf } from "./moment.ts";
import { averageOf, heldIn, type TableProfile } from "./profile.ts";
import { type EntrySink, TreeReader } from "./reader.ts";
import { type Schema, schemaOf, schemaQueries, type Table, type Tree } from "./schema.ts";
import { changedAfter, installedIn, isTracked, notedAfter, notes, OURS } from "./triggers.ts";
import type { ExactValue } from "./values.ts";

/** What is to be read of a table: nothing, as it is the same; the rows that changed; or all of it. */
export interface Part {
  table: Table;
  read: "nothing" | "changes" | "all";
  /** How many rows are noted as changed. */
  keys: number;
}

/** What is to be read, by what is known at one moment. */
export interface Plan {
  schema: Schema;
  parts: Part[];
  /** Equal where the same is to be read. */
  sign: string;
}

/** How a part is read. */
export interface PartReader {
  part: Part;
  keys: TreeReader | undefined;
  trees: TreeReader[];
}

/** How to read a part; without a `profile` nothing is known of what it holds. */
export function partReader(
  part: Part,
  { epoch, source, profile }: { epoch: number; source: RowSource; profile?: TableProfile | undefined },
): PartReader {
  const { table, read } = part;
  const readerOf = (tree: Tree, known: TableProfile | undefined) => {
    const forms = tree.exprs.map((expr, at) => {
      return new ColumnForm(`c${at}`, known ? heldIn(known, expr) : ANYTHING, source);
    });
    return new TreeReader(tree, forms);
  };
  if (read !== "changes")
    return { part, keys: undefined, trees: table.trees.map((tree) => readerOf(tree, profile)) };
  const trees = table.trees.map((tree) => readerOf(changesOf(table, tree, epoch), profile));
  return { part, keys: readerOf(keysOf(table, epoch), undefined), trees };
}

/** Keeps the keys that it takes. */
export class KeptKeys implements EntrySink {
  readonly keys: ExactValue[][] = [];
  begin(): void {
    this.keys.push([]);
  }
  rowid(id: number | bigint): void {
    this.integer(id);
  }
  null(): void {
    this.#add({ type: "null" });
  }
  integer(value: number | bigint): void {
    this.#add({ type: "integer", value });
  }
  real(value: number): void {
    this.#add({ type: "real", value });
  }
  text(value: string): void {
    this.#add({ type: "text", value });
  }
  textBytes(value: Uint8Array): void {
    this.#add({ type: "text", value });
  }
  blob(value: Uint8Array): void {
    this.#add({ type: "blob", value });
  }
  #add(value: ExactValue): void {
    this.keys.at(-1)?.push(value);
  }
}

export function planQueries(epoch: number): Query[] {
  return [...schemaQueries, OURS, notes(epoch)];
}

export function planFrom(answers: Cell[][][], name: string): Plan {
  const schema = schemaOf(answers.slice(0, schemaQueries.length), name);
  refuseHalf(schema, name);
  const [ours = [], noted = []] = answers.slice(schemaQueries.length);
  const installed = installedIn(ours);
  const wholes = new Set(noted.filter(([letter]) => letter === "*").map(([, table]) => String(table)));
  const counts = new Map(
    noted.filter(([letter]) => letter === "=").map(([, table, count]) => [String(table), Number(count)]),
  );
  const parts = schema.tables.map((table): Part => {
    const isWhole = table.isInternal || wholes.has(table.name) || !isTracked(table, installed);
    const keys = isWhole ? 0 : (counts.get(table.name) ?? 0);
    return { table, read: isWhole ? "all" : keys > 0 ? "changes" : "nothing", keys };
  });
  return { schema, parts, sign: JSON.stringify([schema.digest, parts.map(({ read }) => read)]) };
}

/** About how much is to be read of these, in bytes. */
export function bytesOfParts(parts: readonly Part[], profiles: Map<Part, TableProfile>): number {
  return parts.reduce((sum, part) => {
    const profile = profiles.get(part);
    if (!profile) return sum;
    return (
      sum + part.table.trees.reduce((all, { exprs }) => all + profile.rows * averageOf(profile, exprs), 0)
    );
  }, 0);
}

/** The keys of rows that were noted, as something to read. */
function keysOf(table: Table, epoch: number): Tree {
  const exprs = table.key.map((_, at) => `k${at}`);
  return {
    object: -1,
    kind: "index",
    table: CHANGES,
    from: CHANGES,
    where: notedAfter(table.name, epoch),
    exprs,
    kinds: exprs.map(() => "value"),
    order: exprs.map((expr) => ({ expr, isDescending: false })),
    key: [],
  };
}

/** The entries of rows that changed. */
function changesOf(table: Table, tree: Tree, epoch: number): Tree {
  const hasRowids = table.trees[0]?.kind === "table";
  const where = [changedAfter(table, epoch), ...(tree.where ? [`(${tree.where})`] : [])].join(" AND ");
  // By the rows' keys: an index would be read from end to end.
  return { ...tree, from: hasRowids ? `${tree.table} NOT INDEXED` : tree.table, where };
}
