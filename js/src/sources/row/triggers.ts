// Which rows of a database changed, told by triggers in a table of ours. Its rows:
//
// | what | epoch | k0 … | |
// | --- | --- | --- | --- |
// | '' | the current one | | one row |
// | '#' | of a moment that was read | a random text | as long as a backup may go on from it |
// | '=' and a table | in which | a row's key | a row was inserted, changed or deleted |
// | '*' and a table | in which | | any of its rows may have been |
//
// An epoch ends when a moment is read. A row is noted once in each, however often it is written.

import { type Cell, CHANGES, type Query, TRIGGERS } from "../source.ts";
import type { Schema, Table, Unique } from "./schema.ts";
import { identifier, joined, literal } from "./values.ts";

/** Columns for keys. A table of a longer one is read whole once anything in it changed. */
const KEYS = 8;
const COLUMNS = Array.from({ length: KEYS }, (_, at) => `k${at}`);
/** What stands for a column that a key lacks. */
const NOTHING = "0";

export const MAKE_TABLE = [
  `CREATE TABLE IF NOT EXISTS ${CHANGES} (what TEXT NOT NULL, epoch INTEGER NOT NULL, ${COLUMNS.map((name) => `${name} NOT NULL`).join(", ")},
    PRIMARY KEY (what, epoch, ${COLUMNS.join(", ")})) WITHOUT ROWID`,
  `INSERT INTO ${CHANGES} SELECT '', 1, ${filled([])} WHERE NOT EXISTS (SELECT 1 FROM ${CHANGES} WHERE what = '')`,
];

/** Our table if it is there, and our triggers. */
export const OURS: Query = {
  sql: `SELECT type AS a, name AS b, tbl_name AS c, sql AS d FROM sqlite_schema m
    WHERE name = '${CHANGES}' OR (type = 'trigger' AND substr(name, 1, ${TRIGGERS.length}) = '${TRIGGERS}') ORDER BY name`,
};

/** What of {@link OURS} there is. */
export interface Installed {
  hasTable: boolean;
  /** By table, its name in lower case. */
  triggers: Map<string, { name: string; sql: string }[]>;
}

export function installedIn(rows: Cell[][]): Installed {
  const found = rows.map(([type, name, table, sql]) => ({
    isTable: type === "table",
    name: String(name),
    table: String(table).toLowerCase(),
    sql: String(sql),
  }));
  const triggers = Map.groupBy(
    found.filter(({ isTable }) => !isTable),
    ({ table }) => table,
  );
  return { hasTable: found.some(({ isTable }) => isTable), triggers };
}

/** Whether the triggers of a table are those that it should have. */
export function isTracked(table: Table, { triggers }: Installed): boolean {
  const wanted = triggersOf(table).map(({ sql }) => sql);
  const found = (triggers.get(table.name.toLowerCase()) ?? []).map(({ sql }) => sql);
  return wanted.length === found.length && wanted.every((sql) => found.includes(sql));
}

/** What tracks a table from now on, with all of its rows noted as changed; its old triggers are gone already. */
export function tracking(table: Table): string[] {
  return [noted(`*${table.name}`, []), ...triggersOf(table).map(({ sql }) => sql)];
}

/** What takes the triggers of a table away. */
export function dropping(table: string, { triggers }: Installed): string[] {
  const old = triggers.get(table.toLowerCase()) ?? [];
  return old.map(({ name }) => `DROP TRIGGER IF EXISTS ${identifier(name)}`);
}

/** What takes all of it away. */
export function untracking(installed: Installed): string[] {
  const drops = [...installed.triggers.keys()].flatMap((table) => dropping(table, installed));
  return [...drops, `DROP TABLE IF EXISTS ${CHANGES}`];
}

/** The condition of rows of `table` that changed after `epoch`, as SQL. */
export function changedAfter(table: Table, epoch: number): string {
  const columns = table.key.map((_, at) => `k${at}`).join(", ");
  const key = table.key.map((name) => `${identifier(table.name)}.${name}`).join(", ");
  const of = table.key.length > 1 ? `(${key})` : key;
  return `${of} IN (SELECT ${columns} FROM ${CHANGES} WHERE ${notedAfter(table.name, epoch)})`;
}

/** The condition of the notes of such rows. */
export function notedAfter(table: string, epoch: number): string {
  return `what = ${literal(`=${table}`)} AND epoch > ${epoch}`;
}

/** Whether triggers tell single rows of a table. */
function tellsRows({ key, uniques, isInternal }: Table): boolean {
  return !isInternal && uniques !== undefined && key.length <= KEYS;
}

/** What was noted after `epoch`: the first letter of `what`, the table, how many. */
export function notes(epoch: number): Query {
  return {
    sql: `SELECT substr(what, 1, 1) AS a, substr(what, 2) AS b, count(*) AS c FROM ${CHANGES} WHERE what >= '*' AND epoch > ${epoch} GROUP BY what`,
  };
}

/** The current epoch. */
export const EPOCH: Query = { sql: `SELECT epoch AS a FROM ${CHANGES} WHERE what = ''` };
/** Ends the current epoch. */
export const NEXT_EPOCH = `UPDATE ${CHANGES} SET epoch = epoch + 1 WHERE what = ''`;

/** Notes that the moment at the end of the current epoch was read; `name` is a random one. */
export function reading(name: string): string {
  return noted("#", [literal(name)]);
}

/** Whether that moment is still one of this database's: it may have been set back since. */
export function wasRead({ epoch, name }: Mark): Query {
  return {
    sql: `SELECT 1 AS a FROM ${CHANGES} WHERE what = '#' AND epoch = ${epoch} AND k0 = ${literal(name)}`,
  };
}

/** Forgets what was noted up to a moment, and moments before it. */
export function forgetting(epoch: number): string {
  return `DELETE FROM ${CHANGES} WHERE what <> '' AND epoch < ${epoch} OR what >= '*' AND epoch = ${epoch}`;
}

/** A moment that was read. */
export interface Mark {
  epoch: number;
  name: string;
}

const MARK = /^tracked:(\d{1,15}):([\w-]{1,64})$/;

export function markOf(text: string | undefined): Mark | undefined {
  const [, epoch, name] = MARK.exec(text ?? "") ?? [];
  return epoch === undefined || name === undefined ? undefined : { epoch: Number(epoch), name };
}

export function markText({ epoch, name }: Mark): string {
  return `tracked:${epoch}:${name}`;
}

/** The tables of a schema that can be tracked: all but those of SQLite and of virtual tables. */
export function trackable({ tables }: Schema): Table[] {
  return tables.filter(({ isInternal }) => !isInternal);
}

function triggersOf(table: Table): { name: string; sql: string }[] {
  const { name, key, uniques, isInternal } = table;
  if (isInternal) return [];
  // When the table is made anew in another way, its triggers are others.
  const sign = `/* ${digest(JSON.stringify([key, uniques, table.sql]))} */`;
  const trigger = (called: string, when: string, ...statements: string[]) => {
    const full = identifier(`${TRIGGERS}${called}_${name}`);
    const body = statements.map((sql) => `${sql};`).join(" ");
    return {
      name: full,
      sql: `CREATE TRIGGER ${full} ${when} ON ${identifier(name)} BEGIN ${sign} ${body} END`,
    };
  };
  if (!tellsRows(table)) {
    const all = noted(`*${name}`, []);
    return ["INSERT", "UPDATE", "DELETE"].map((event) => trigger(event.toLowerCase(), `AFTER ${event}`, all));
  }
  const [before, after] = ["OLD", "NEW"].map((row) =>
    noted(
      `=${name}`,
      key.map((column) => `${row}.${column}`),
    ),
  ) as [string, string];
  // No trigger tells of a row that gives way to one that is equal in a UNIQUE column (ON CONFLICT REPLACE).
  const replaced = (uniques ?? [])
    .filter(({ columns }) => columns.length > 0)
    .map((unique) =>
      noted(
        `=${name}`,
        key.map((_, at) => `o.k${at}`),
        likeNew(table, unique),
      ),
    );
  const replacing = replaced.length === 0 ? [] : ["INSERT", "UPDATE"];
  return [
    trigger("insert", "AFTER INSERT", after),
    trigger("update", "AFTER UPDATE", before, after),
    trigger("delete", "AFTER DELETE", before),
    ...replacing.map((event) => trigger(`replace_${event.toLowerCase()}`, `BEFORE ${event}`, ...replaced)),
  ];
}

/** The keys of rows that are equal to the new one in what must differ, as a subquery. */
function likeNew({ name, key }: Table, { columns, where }: Unique): string {
  const of = identifier(name);
  const equal = columns.map(({ name: column, collation }) => {
    return `${of}.${identifier(column)} COLLATE ${collation} = NEW.${identifier(column)}`;
  });
  const conditions = joined([...equal, ...(where ? [`(${where})`] : [])], "AND");
  const keys = key.map((column, at) => `${of}.${column} AS k${at}`).join(", ");
  return `(SELECT ${keys} FROM ${of} WHERE ${conditions}) AS o`;
}

/**
 * Notes something in the current epoch. In a trigger, what a statement says of conflicts goes for this, too: so there must
 * be none.
 */
function noted(what: string, key: readonly string[], from?: string): string {
  const same = COLUMNS.map((column, at) => `c.${column} = ${key[at] ?? NOTHING}`).join(" AND ");
  const known = `SELECT 1 FROM ${CHANGES} AS c WHERE c.what = ${literal(what)} AND c.epoch = s.epoch AND ${same}`;
  // One row may be equal to the new one in two ways.
  const values = `SELECT ${from ? "DISTINCT " : ""}${literal(what)}, s.epoch, ${filled(key)}`;
  const tables = `${from ? `${from}, ` : ""}${CHANGES} AS s`;
  return `INSERT INTO ${CHANGES} ${values} FROM ${tables} WHERE s.what = '' AND NOT EXISTS (${known})`;
}

function filled(key: readonly string[]): string {
  return COLUMNS.map((_, at) => key[at] ?? NOTHING).join(", ");
}

/** 64 bits of a text's UTF-8 bytes, by FNV-1a. */
function digest(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16);
}
