// Checks whether a database is whole, table by table: one that cannot be checked does not keep the others from being checked.
import { dispose } from "../core/dispose.ts";
import { SqlError } from "../errors/index.ts";
import type { Check, CheckedObject } from "./results.ts";
import type { Statement } from "./statement.ts";

/** The part of an open database that a check needs. */
interface Open {
  prepare(sql: string): Statement;
  exec(sql: string): unknown;
  readonly inTransaction: boolean;
}

/** What the engine says of the whole database, or of one table with its indexes. */
export interface Report {
  integrity: string[];
  /** Why SQLite could not check. */
  refused: string | undefined;
  foreignKeys: Check["foreignKeys"];
  foreignKeysRefused: string | undefined;
}

/** Most problems that SQLite reports. */
const LIMIT = 100;

/** SQLite's messages when it cannot go on. */
const MALFORMED = "database disk image is malformed";

type Inspect = (table?: string) => Report;

/** A table or an index of the schema. */
interface Entry extends CheckedObject {
  root: number;
  sql: string;
}

/** @internal */
export function check(database: Open, inspect: Inspect): Check {
  const whole = inspect();
  const found: Check = { ok: false, integrity: [], foreignKeys: [], objects: [], unchecked: [] };
  const entries = readEntries(database, found);
  const isSound = whole.refused === undefined && whole.integrity.length === 0;
  const places = new Places(entries, found);
  if (!isSound) {
    if (whole.refused === undefined) places.blamePages(linesOf(whole));
    for (const table of entries.filter(isOrdinary)) checkTable(database, inspect, table, places);
    // SQLite gives up before it has said so of every page.
    if (whole.refused !== undefined) countPages(database, found);
  }
  const modules = isVirtualHere(database, entries);
  for (const table of entries.filter(isVirtual))
    checkVirtual(database, inspect, table, places, modules, isSound);
  checkForeignKeys(database, whole, entries, found);
  found.objects = entries.map(({ type, name, table, state, details }) => ({
    type,
    name,
    table,
    state,
    details,
  }));
  found.ok = found.integrity.length === 0 && found.foreignKeys.length === 0;
  return found;
}

/** Assigns problems to the tables and indexes they are in. */
class Places {
  readonly #entries: Entry[];
  readonly #found: Check;
  readonly #said = new Set<string>();

  constructor(entries: Entry[], found: Check) {
    this.#entries = entries;
    this.#found = found;
  }

  indexesOf(table: string): Entry[] {
    return this.#entries.filter((entry) => entry.type === "index" && entry.table === table);
  }

  /** A sentence of SQLite about a table, one of its indexes, or one of their pages. */
  blame(text: string, table: Entry): void {
    const own = [table, ...this.indexesOf(table.name)];
    const root = Number(/^Tree (\d+)\b/.exec(text)?.[1]);
    const entry =
      own.find((entry) => entry.root === root) ??
      own.find((entry) => entry.type === "index" && text.endsWith(` index ${entry.name}`)) ??
      table;
    entry.state = "damaged";
    entry.details.push(text);
    this.#say(text);
  }

  /** What is said of pages that belong to no table or index: they are used twice, or by nothing. */
  blamePages(lines: string[]): void {
    for (const text of lines) {
      const [, root] = /^Tree (\d+)\b/.exec(text) ?? [];
      const isOfNone = root !== undefined && !this.#entries.some((entry) => entry.root === Number(root));
      if (isOfNone || /^(Page|Freelist)\b/.test(text) || this.#entries.length === 0) this.#say(text);
    }
  }

  /** Notes that something cannot be checked; `reason` in SQLite's words. */
  pass(entry: Entry, reason: string, what = ""): void {
    if (entry.state === "damaged") return;
    const needs = need(reason);
    entry.state = "unchecked";
    entry.details.push(`${what}${needs}`);
    this.#found.unchecked.push(`${entry.name}: ${what}${needs}`);
  }

  #say(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#found.integrity.push(text);
  }
}

function readEntries(database: Open, found: Check): Entry[] {
  const sql =
    "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE type IN ('table', 'index')";
  const read = () =>
    rowsOf(database, sql).map(([type, name, table, root, text]): Entry => {
      const [own, of] = [String(name), String(table)];
      return {
        type: type === "index" ? "index" : "table",
        name: own,
        table: of,
        state: "sound",
        details: [],
        root: Number(root ?? 0),
        sql: String(text ?? ""),
      };
    });
  try {
    return read();
  } catch (error) {
    if (!isOfSql(error)) throw error;
    found.integrity.push(error.message);
    // Then SQLite skips what it cannot parse.
    attempt(() => database.exec("PRAGMA writable_schema = ON"));
    return attempt(read) ?? [];
  } finally {
    attempt(() => database.exec("PRAGMA writable_schema = OFF"));
  }
}

function checkTable(database: Open, inspect: Inspect, table: Entry, places: Places): void {
  let report = inspect(table.name);
  if (report.refused === undefined) {
    blameAll(report, table, places);
    return;
  }
  const left = places.indexesOf(table.name).filter((index) => {
    const reason = refusal(database, `REINDEX ${quote(index.name)}`);
    if (reason !== undefined) {
      places.pass(index, reason);
      checkPages(database, index, places);
    }
    return reason === undefined;
  });
  const unusable = places.indexesOf(table.name).filter((index) => !left.includes(index) && index.sql !== "");
  const first = report.refused;
  report = without(database, unusable, () => inspect(table.name), false);
  if (report.refused !== undefined) {
    report = without(database, unusable, () => inspect(table.name), true);
    if (report.refused === undefined) places.pass(table, first, "its CHECK constraints: ");
  }
  if (report.refused === undefined) {
    blameAll(report, table, places);
    return;
  }
  for (const entry of [table, ...left]) {
    places.pass(entry, report.refused);
    checkPages(database, entry, places);
  }
}

function blameAll(report: Report, table: Entry, places: Places): void {
  const lines = linesOf(report);
  // Where SQLite had to stop, and there is a better word for it.
  const telling = lines.filter((line) => !line.startsWith(MALFORMED));
  for (const text of telling.length > 0 ? telling : lines) places.blame(text, table);
}

/** What it says of pages comes in one text. */
function linesOf({ integrity }: Report): string[] {
  return integrity.flatMap((text) => text.split("\n")).filter((line) => !line.startsWith("*** in database"));
}

/** Runs an action without indexes and constraints, and undoes that. */
function without<T>(database: Open, indexes: Entry[], action: () => T, ignoreConstraints: boolean): T {
  const canHide = indexes.length > 0 && !database.inTransaction;
  try {
    if (ignoreConstraints) database.exec("PRAGMA ignore_check_constraints = ON");
    if (canHide) {
      database.exec("BEGIN; PRAGMA writable_schema = ON");
      const hide = database.prepare("DELETE FROM sqlite_schema WHERE type = 'index' AND name = ?");
      for (const { name } of indexes) hide.run(name);
      hide[dispose]();
      database.exec("PRAGMA writable_schema = RESET");
    }
    return action();
  } finally {
    if (canHide) attempt(() => database.exec("ROLLBACK; PRAGMA writable_schema = RESET"));
    if (ignoreConstraints) database.exec("PRAGMA ignore_check_constraints = OFF");
  }
}

/** The pages of what cannot be read otherwise. */
function checkPages(database: Open, entry: Entry, places: Places): void {
  const sql = `SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'corrupted' LIMIT 1`;
  const rows = attempt(() => rowsOf(database, sql, entry.name));
  const [page] = rows?.[0] ?? [];
  if (rows && page === undefined) return;
  entry.details = [];
  entry.state = "damaged";
  places.blame(
    page === undefined
      ? `Tree ${entry.root}: its pages cannot be read`
      : `Tree ${entry.root} page ${page}: damaged`,
    entry,
  );
}

/** Whether every page is used by something, as `PRAGMA integrity_check` would say. */
function countPages(database: Open, found: Check): void {
  const counted = attempt(() => {
    const [[used], [free], [all], [size], [vacuum]] = [
      "SELECT count(*) FROM dbstat",
      "PRAGMA freelist_count",
      "PRAGMA page_count",
      "PRAGMA page_size",
      "PRAGMA auto_vacuum",
    ].map((sql) => (rowsOf(database, sql)[0] ?? []).map(Number)) as [
      number[],
      number[],
      number[],
      number[],
      number[],
    ];
    const perMap = Math.floor((size ?? 0) / 5) + 1;
    const maps = vacuum ? Math.ceil(((all ?? 0) - 1) / perMap) : 0;
    const lockPage = (all ?? 0) * (size ?? 0) > 2 ** 30 ? 1 : 0;
    return (all ?? 0) - (used ?? 0) - (free ?? 0) - maps - lockPage;
  });
  if (counted !== undefined && counted > 0)
    found.integrity.push(`${counted} pages are used by nothing and are not in the list of free pages`);
}

/** Names of the modules that this SQLite has. */
function isVirtualHere(database: Open, entries: Entry[]): Set<string> {
  if (!entries.some(isVirtual)) return new Set();
  const rows = rowsOf(database, "SELECT name FROM pragma_module_list");
  return new Set(rows.map(([name]) => String(name).toLowerCase()));
}

function checkVirtual(
  database: Open,
  inspect: Inspect,
  table: Entry,
  places: Places,
  modules: Set<string>,
  isSound: boolean,
): void {
  const module = moduleOf(table.sql);
  if (!modules.has(module)) {
    places.pass(table, `no such module: ${module}`);
    return;
  }
  if (!isSound) {
    const report = inspect(table.name);
    if (report.refused === undefined) blameAll(report, table, places);
    else if (module !== "fts5") {
      places.pass(table, report.refused);
      return;
    }
  }
  if (module !== "fts5" || table.state === "damaged") return;
  // PRAGMA integrity_check does not compare an index with a content table of another name.
  const name = quote(table.name);
  try {
    tentatively(database, () =>
      database.exec(`INSERT INTO ${name}(${name}, rank) VALUES ('integrity-check', 1)`),
    );
  } catch (error) {
    if (!isOfSql(error)) throw error;
    if (isDamage(error))
      places.blame(`full-text index ${table.name} is not of what its content holds`, table);
    else places.pass(table, error.message);
  }
}

/** Rows whose foreign key refers to no row; of the whole database at once, where that can be read and is not too much. */
function checkForeignKeys(database: Open, whole: Report, entries: Entry[], found: Check): void {
  if (whole.foreignKeysRefused === undefined && whole.foreignKeys.length < LIMIT) {
    found.foreignKeys = whole.foreignKeys;
    return;
  }
  for (const { name } of entries.filter(isOrdinary)) {
    try {
      const statement = database.prepare(`PRAGMA foreign_key_check(${quote(name)})`);
      for (const [table, rowid, parent, key] of statement.values().slice(0, LIMIT)) {
        found.foreignKeys.push({
          table: String(table),
          rowid: rowid === null ? undefined : BigInt(rowid as number | bigint),
          parent: String(parent),
          key: Number(key),
        });
      }
    } catch (error) {
      if (!isOfSql(error)) throw error;
      if (isDamage(error)) found.integrity.push(`foreign keys of ${name}: ${error.message}`);
      else found.unchecked.push(`foreign keys of ${name}: ${need(error.message)}`);
    }
  }
}

function tentatively(database: Open, action: () => void): void {
  const [begin, end] = database.inTransaction
    ? ["SAVEPOINT pagemark_check", "ROLLBACK TO pagemark_check; RELEASE pagemark_check"]
    : ["BEGIN", "ROLLBACK"];
  database.exec(begin);
  try {
    action();
  } finally {
    attempt(() => database.exec(end));
  }
}

/** What SQLite lacks for a statement, in its own words; `undefined` when the statement compiles. */
function refusal(database: Open, sql: string): string | undefined {
  try {
    database.prepare(sql)[dispose]();
    return undefined;
  } catch (error) {
    if (!isOfSql(error)) throw error;
    return isDamage(error) ? undefined : error.message;
  }
}

/** "needs the collation X", where SQLite says that there is none. */
function need(message: string): string {
  const known =
    /^(?:no such|unknown) (collation|function|tokenizer|module)(?: sequence)?: (.*?)(\(\))?$/.exec(message);
  return known ? `needs the ${known[1]} ${known[2]}, which is not here` : `SQLite says: ${message}`;
}

function moduleOf(sql: string): string {
  const [, quoted, plain] = /\bUSING\s+(?:["`[]([^"`\]]+)["`\]]|(\w+))/i.exec(sql) ?? [];
  return (quoted ?? plain ?? "").toLowerCase();
}

function isVirtual({ type, root, sql }: Entry): boolean {
  return type === "table" && root === 0 && /^CREATE\s+VIRTUAL\s/i.test(sql);
}

function isOrdinary(entry: Entry): boolean {
  return entry.type === "table" && !isVirtual(entry);
}

function isOfSql(error: unknown): error is SqlError {
  return error instanceof SqlError;
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
function isDamage({ sqlite = 0 }: SqlError): boolean {
  return [11, 26].includes(sqlite & 0xff);
}

function rowsOf(database: Open, sql: string, ...parameters: string[]) {
  const statement = database.prepare(sql);
  try {
    return statement.values(...parameters);
  } finally {
    statement[dispose]();
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!isOfSql(error)) throw error;
    return undefined;
  }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
