// What is known of a table before its rows are read: from one aggregate query.

import type { Cell, Query } from "../source.ts";
import { ANYTHING, heldBetween, rankOf, sizeOf } from "./forms.ts";
import type { Tree } from "./schema.ts";
import { fitting, joined } from "./values.ts";

/** Columns that one query tells of: each takes three of the 100 columns that an answer may have. */
const WIDTH = 32;
/** What a row counts for besides its values, in bytes. */
const ROW = 32;

export interface TableProfile {
  rows: number;
  /** An upper bound of what a row takes on its way, in bytes. */
  longest: number;
  /** What each expression holds, and how many bytes all of its values take. */
  columns: Map<string, { holds: number; bytes: number }>;
}

/** A profile as plain data. */
export interface SavedProfile extends Omit<TableProfile, "columns"> {
  columns: [expr: string, held: { holds: number; bytes: number }][];
}

export function savedProfile({ columns, ...rest }: TableProfile): SavedProfile {
  return { ...rest, columns: [...columns] };
}

export function profileOfSaved({ columns, ...rest }: SavedProfile): TableProfile {
  return { ...rest, columns: new Map(columns) };
}

/** What to ask of the table that `trees` are of, or of those of its rows for which `where` is true. */
export function profileQueries(trees: readonly Tree[], where?: string): Query[] {
  return chunks(exprsOf(trees)).map((some) => ({ sql: profileOf(trees, some, { where }) }));
}

/** The same of a table of at most `bytes`; of a larger one, next to nothing is read. */
export function smallProfileQueries(trees: readonly Tree[], bytes: number): Query[] {
  const table = trees[0]?.table;
  const more = `, EXISTS (SELECT 1 FROM ${table}) AS e`;
  return chunks(exprsOf(trees)).map((some) => {
    const size = `${ROW} + ${joined(some.map(sizeOf), "+")}`;
    const sizes = `SELECT ${size} AS s FROM ${table} LIMIT ${Math.floor(bytes / ROW) + 1}`;
    return { sql: profileOf(trees, some, { where: `(SELECT total(s) FROM (${sizes})) <= ${bytes}`, more }) };
  });
}

/** Aggregates of expressions, each of which is computed once a row: with a LIMIT, SQLite does not put it in their places. */
function profileOf(
  trees: readonly Tree[],
  exprs: readonly string[],
  { where, more = "" }: { where?: string | undefined; more?: string },
): string {
  const rows = `${trees[0]?.table}${where ? ` WHERE ${where}` : ""}`;
  const values = exprs.map((expr, at) => `${expr} AS c${at}`);
  const told = exprs.map((_, at) => `${rankOf(`c${at}`)} AS k${at}, ${sizeOf(`c${at}`)} AS s${at}`);
  const sizes = exprs.map((_, at) => `s${at}`);
  const aggregates = exprs.map(
    (_, at) => `min(k${at}) AS a${at}, max(k${at}) AS b${at}, sum(s${at}) AS s${at}`,
  );
  return `SELECT count(*) AS n, max(${joined(sizes, "+")}) AS l, ${aggregates}${more}
    FROM (SELECT ${told} FROM (SELECT ${values} FROM ${rows}) LIMIT -1)`;
}

/** What {@link profileQueries} was answered with. */
export function profileFrom(trees: readonly Tree[], answers: readonly Cell[][][]): TableProfile {
  const profile: TableProfile = { rows: 0, longest: 0, columns: new Map() };
  for (const [index, some] of chunks(exprsOf(trees)).entries()) {
    const [rows, longest, ...told] = answers[index]?.[0] ?? [];
    profile.rows = Number(rows ?? 0);
    profile.longest += Number(longest ?? 0);
    for (const [at, expr] of some.entries()) {
      const [least = null, most = null, bytes] = told.slice(3 * at, 3 * at + 3);
      profile.columns.set(expr, { holds: heldBetween(least, most), bytes: Number(bytes ?? 0) });
    }
  }
  return profile;
}

/** What {@link smallProfileQueries} was answered with; nothing of a table that is not small. */
export function smallProfileFrom(
  trees: readonly Tree[],
  answers: readonly Cell[][][],
): TableProfile | undefined {
  const isLarge = answers.some(([row = []]) => row[0] === 0 && row.at(-1) === 1);
  return isLarge ? undefined : profileFrom(trees, answers);
}

/** What `expr` holds; anything may be in what an index computes, as only the rows that it has can be computed. */
export function heldIn(profile: TableProfile | undefined, expr: string): number {
  return profile?.columns.get(expr)?.holds ?? ANYTHING;
}

/** What an entry takes on average, in bytes; what an index computes counts as the longest row there is. */
export function averageOf(profile: TableProfile, exprs: readonly string[]): number {
  let bytes = 0;
  for (const expr of exprs) bytes += profile.columns.get(expr)?.bytes ?? profile.longest * profile.rows;
  return 16 + bytes / Math.max(1, profile.rows);
}

function exprsOf(trees: readonly Tree[]): string[] {
  return [...new Set(trees.flatMap(({ exprs }) => exprs))].filter((expr) => !expr.startsWith("("));
}

function chunks(exprs: readonly string[]): string[][] {
  return fitting(exprs, WIDTH).map((some) => some.map((at) => exprs[at] ?? ""));
}
