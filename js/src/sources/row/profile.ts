// What is known of a table before its rows are read: from one aggregate query.

import type { Cell, Query } from "../source.ts";
import { ANYTHING, profileOf, sizeOf } from "./forms.ts";
import type { Tree } from "./schema.ts";
import { joined } from "./values.ts";

/** Columns that one query tells of: each takes eight aggregates, of which D1 takes 100 in one. */
const WIDTH = 12;

export interface TableProfile {
  rows: number;
  /** An upper bound of what a row takes on its way, in bytes. */
  longest: number;
  /** Of each expression what it holds, and how many bytes all of its values take. */
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
  const exprs = exprsOf(trees);
  return chunks(exprs).map((some) => {
    const told = some.map((expr, at) => `${profileOf(expr)} AS h${at}, sum(${sizeOf(expr)}) AS s${at}`);
    const longest = `max(${joined(some.map(sizeOf), "+")})`;
    const rows = `${trees[0]?.table}${where ? ` WHERE ${where}` : ""}`;
    return { sql: `SELECT count(*) AS n, ${longest} AS l, ${told.join(", ")} FROM ${rows}` };
  });
}

export function profileFrom(trees: readonly Tree[], answers: readonly Cell[][][]): TableProfile {
  const profile: TableProfile = { rows: 0, longest: 0, columns: new Map() };
  for (const [index, some] of chunks(exprsOf(trees)).entries()) {
    const [rows, longest, ...told] = answers[index]?.[0] ?? [];
    profile.rows = Number(rows ?? 0);
    profile.longest += Number(longest ?? 0);
    for (const [at, expr] of some.entries()) {
      const [holds, bytes] = [Number(told[2 * at] ?? 0), Number(told[2 * at + 1] ?? 0)];
      profile.columns.set(expr, { holds, bytes });
    }
  }
  return profile;
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
  const all: string[][] = [];
  for (let at = 0; at < exprs.length; at += WIDTH) all.push(exprs.slice(at, at + WIDTH));
  return all;
}
