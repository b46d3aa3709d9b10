// The SQL that turns one state of a database into another: rows that differ, and what is made anew.
import type { Moment } from "../sources/source.ts";
import type { JobOptions } from "../streams/progress.ts";
import { streamOf } from "../streams/streams.ts";
import type { TableDifference } from "./diff.ts";
import { rowStarts } from "./load-fingerprints.ts";
import { statementsOf, tableStatements } from "./statements-of.ts";

/** Two states of one database; both stay open. */
export interface States {
  before: Moment;
  after: Moment;
  name: string;
}

interface Schema {
  objects: { kind: string; name: string; sql: string; isVirtual: boolean }[];
  settings: string[];
}

/** A row as SQL, and its rowid. */
interface Row {
  key: bigint;
  values: string;
}

const NAME = String.raw`("(?:[^"]|"")*"|'(?:[^']|'')*'|\x60[^\x60]*\x60|\[[^\]]*\]|[^\s"'\x60\[(]+)`;
const CREATE = new RegExp(`^CREATE (?:UNIQUE )?(VIRTUAL )?(TABLE|INDEX|VIEW|TRIGGER)\\s+${NAME}`, "i");
const SETTING = /^PRAGMA (?:user_version|application_id)=/;
const INSERT = /^INSERT INTO ("(?:[^"]|"")*")(\((?:"(?:[^"]|"")*",?)+\)) VALUES/;
const INTO = /^INSERT INTO "(?:[^"]|"")*"(.*)$/s;
/** Names of rowids, where a dump gives them before the columns. */
const ROWID = /^(?:rowid|_rowid_|oid)$/;
/** What SQLite keeps of all tables in one. */
const INTERNAL = /^(?:INSERT INTO|DELETE FROM) "sqlite_(?:sequence|stat\d)"/;
const SHADOW = /_(?:data|idx|content|docsize|config|segments|segdir|stat|node|rowid|parent)$/;
const TOKEN = /'(?:[^']|'')*'|[(),]|[^'(),]+/g;

/**
 * Statement by statement: one transaction, in which foreign keys are not enforced and no trigger runs. Of tables with rowids and of the same
 * definition only rows that differ are written; others are made anew.
 */
export async function* differenceSql(
  states: States,
  tables: readonly TableDifference[],
  options: JobOptions,
): AsyncGenerator<string, void, void> {
  const old = await schemaOf(states.before, states.name, options);
  const now = await schemaOf(states.after, states.name, options);
  yield "PRAGMA foreign_keys=OFF;";
  yield "BEGIN TRANSACTION;";
  yield* now.settings.filter((setting) => !old.settings.includes(setting));
  for (const kind of ["TRIGGER", "VIEW"])
    yield* dropsOf(old.objects.filter((object) => object.kind === kind));
  const isIn = (schema: Schema, sql: string) => schema.objects.some((object) => object.sql === sql);
  yield* dropsOf(old.objects.filter(({ kind, sql }) => kind === "INDEX" && !isIn(now, sql)));
  const made = new Set<string>();
  for (const { name, change, isAnew } of withoutShadows(tables, [old, now])) {
    const key = isAnew ? undefined : await keyOf(states, name, now, options);
    if (key !== undefined) {
      yield* changedRows(states, name, key, options);
      continue;
    }
    if (change !== "added") yield `DROP TABLE IF EXISTS ${quoted(name)};`;
    if (change === "removed") continue;
    for await (const statement of tableStatements(kept(states.after), states.name, {
      ...options,
      tables: [name],
    })) {
      if (/^CREATE TRIGGER\b/i.test(statement)) continue;
      made.add(statement);
      yield statement;
    }
  }
  const isNew = (sql: string) => !made.has(sql) && !isIn(old, sql);
  yield* now.objects.filter(({ kind, sql }) => kind === "INDEX" && isNew(sql)).map(({ sql }) => sql);
  for (const wanted of ["VIEW", "TRIGGER"])
    yield* now.objects.filter(({ kind }) => kind === wanted).map(({ sql }) => sql);
  yield "COMMIT;";
}

/** What a database consists of, and its settings. */
async function schemaOf(moment: Moment, name: string, options: JobOptions): Promise<Schema> {
  const schema: Schema = { objects: [], settings: [] };
  for await (const statement of statementsOf(kept(moment), name, { ...options, drop: true, noData: true })) {
    if (SETTING.test(statement)) schema.settings.push(statement);
    const [, virtual, kind, quotedName = ""] = CREATE.exec(statement) ?? [];
    if (kind === undefined) continue;
    const isVirtual = virtual !== undefined;
    schema.objects.push({ kind: kind.toUpperCase(), name: unquoted(quotedName), sql: statement, isVirtual });
  }
  return schema;
}

/** Tables that differ, without those in which virtual tables keep what they hold: with one of these the virtual table is made anew. */
function withoutShadows(tables: readonly TableDifference[], schemas: readonly Schema[]) {
  const virtual = new Set(
    schemas.flatMap(({ objects }) =>
      objects.filter(({ isVirtual }) => isVirtual).map(({ name }) => name.toLowerCase()),
    ),
  );
  const ownerOf = (name: string) => {
    const owner = name.toLowerCase().replace(SHADOW, "");
    return owner !== name.toLowerCase() && virtual.has(owner) ? owner : undefined;
  };
  const differing = tables.filter(({ change }) => change !== "unchanged");
  const owners = new Set(differing.map(({ name }) => ownerOf(name)));
  return tables.flatMap(({ name, change, redefined }) => {
    if (ownerOf(name) !== undefined) return [];
    const isVirtual = virtual.has(name.toLowerCase());
    if (change === "unchanged" && !(isVirtual && owners.has(name.toLowerCase()))) return [];
    return [{ name, change, isAnew: redefined || isVirtual || change === "added" || change === "removed" }];
  });
}

/** Which of the values of a row is its rowid, if that is the order of both states' rows; else nothing. */
async function keyOf(
  states: States,
  name: string,
  { objects }: Schema,
  options: JobOptions,
): Promise<number | undefined> {
  const { sql = "" } = objects.find((object) => object.kind === "TABLE" && object.name === name) ?? {};
  let found: number | undefined;
  for (const moment of [states.before, states.after]) {
    let last: bigint | undefined;
    for await (const { columns, starts } of insertsOf(moment, states.name, name, options)) {
      found ??= columns.findIndex((column) => isRowid(column, sql));
      if (found < 0) return undefined;
      for (const values of starts) {
        const key = integerAt(values, found);
        if (key === undefined || (last !== undefined && key <= last)) return undefined;
        last = key;
      }
    }
  }
  return found ?? 0;
}

function isRowid(column: string, sql: string): boolean {
  const escaped = column.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const declared = new RegExp(
    `[(,]\\s*["'\\[\x60]?${escaped}["'\\]\x60]?\\s+INTEGER\\s+(?:NOT NULL\\s+)?PRIMARY KEY`,
    "i",
  );
  return (
    declared.test(sql) ||
    (ROWID.test(column) && !new RegExp(`[(,]\\s*["'\\[\x60]?${escaped}\\b`, "i").test(sql))
  );
}

/** Both states' rows side by side, by their rowids. */
async function* changedRows(
  { before, after, name }: States,
  table: string,
  key: number,
  options: JobOptions,
): AsyncGenerator<string, void, void> {
  const head = { text: "" };
  const internal: string[] = [];
  const [old, now] = [
    rowsOf(before, name, table, key, options),
    rowsOf(after, name, table, key, options, head, internal),
  ];
  let [one, other] = [await old.next(), await now.next()];
  const deleted = (row: Row) => `DELETE FROM ${quoted(table)} WHERE ${keyName(head.text, key)}=${row.key};`;
  const written = ({ values }: Row) => `${head.text.replace("INSERT", "INSERT OR REPLACE")} VALUES${values};`;
  if (other.done) {
    yield `DELETE FROM ${quoted(table)};`;
    yield* internal;
    return;
  }
  // A row may get a value that must be unique, and that another has which is still to come: that one goes then, and comes back.
  while (!one.done || !other.done) {
    if (other.done || (!one.done && one.value.key < other.value.key)) {
      if (!one.done) yield deleted(one.value);
      one = await old.next();
    } else if (one.done || other.value.key < one.value.key) {
      yield written(other.value);
      other = await now.next();
    } else {
      if (one.value.values !== other.value.values) yield written(other.value);
      [one, other] = [await old.next(), await now.next()];
    }
  }
  yield* internal;
}

async function* rowsOf(
  moment: Moment,
  name: string,
  table: string,
  key: number,
  options: JobOptions,
  head: { text: string } = { text: "" },
  internal: string[] = [],
): AsyncGenerator<Row, void, void> {
  for await (const { into, starts } of insertsOf(moment, name, table, options, internal)) {
    head.text = into;
    for (const values of starts) yield { key: integerAt(values, key) ?? 0n, values };
  }
}

/** The INSERT statements of a table, with the values of each row. */
async function* insertsOf(
  moment: Moment,
  name: string,
  table: string,
  options: JobOptions,
  internal: string[] = [],
) {
  const wanted = { ...options, tables: [table], noSchema: true };
  for await (const statement of statementsOf(kept(moment), name, wanted)) {
    if (INTERNAL.test(statement)) internal.push(statement);
    const [start = "", into, columns = ""] = INSERT.exec(statement) ?? [];
    if (into === undefined || unquoted(into).toLowerCase() !== table.toLowerCase()) continue;
    const all = rowStarts(statement);
    const starts = all.map((at, index) =>
      statement
        .slice(at, all[index + 1])
        .trim()
        .replace(/[,;]$/, ""),
    );
    const names = [...columns.matchAll(/"((?:[^"]|"")*)"/g)].map(([, column = ""]) =>
      column.replaceAll('""', '"'),
    );
    yield { into: start.replace(/ VALUES$/, ""), columns: names, starts };
  }
}

/** A value of a row, if it is an integer. */
function integerAt(values: string, index: number): bigint | undefined {
  let [depth, at, text] = [0, 0, ""];
  for (const [token] of values.matchAll(TOKEN)) {
    if (token === "(") depth++;
    else if (token === ")") depth--;
    if (token === "," && depth === 1) at++;
    else if (at === index && depth >= 1 && token !== "(") text += token;
    if (at > index || depth === 0) break;
  }
  return /^-?\d+$/.test(text.trim()) ? BigInt(text.trim()) : undefined;
}

function keyName(into: string, key: number): string {
  const [, columns = ""] = INTO.exec(into) ?? [];
  return [...columns.matchAll(/"(?:[^"]|"")*"/g)][key]?.[0] ?? "rowid";
}

/** The moment, which a dump does not release. */
function kept(moment: Moment): Moment {
  return Object.assign(Object.create(moment) as Moment, {
    release: async () => {},
    read: moment.read.bind(moment),
  });
}

function dropsOf(objects: Schema["objects"]): string[] {
  return objects.map(({ kind, name }) => `DROP ${kind} IF EXISTS ${quoted(name)};`);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function unquoted(name: string): string {
  const [first = ""] = name;
  if (first === "[") return name.slice(1, -1);
  return /["'`]/.test(first) ? name.slice(1, -1).replaceAll(first + first, first) : name;
}

/** Statements, a line each, as UTF-8; `end` is called when the stream ends, fails or is canceled. */
export function textStream(
  statements: AsyncGenerator<string, void, void>,
  end: () => Promise<void>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const chunks = async function* () {
    try {
      for await (const statement of statements) yield encoder.encode(`${statement}\n`);
    } finally {
      await end();
    }
  };
  return streamOf(chunks(), end);
}
