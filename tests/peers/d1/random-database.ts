// Random databases that D1 can hold, made by real SQLite, which refuses what cannot be.
import { DatabaseSync } from "node:sqlite";
import { random } from "../../faults/random.ts";
import { identifier } from "./place.ts";

const NAMES = [
  "a",
  "b",
  "c d",
  "select",
  'E"E',
  "it's",
  "Ünï",
  "rowid",
  "oid",
  "new\nline",
  "[x]",
  "`y`",
  "-- z",
  "😀;",
];
const TYPES = [
  "",
  "INT",
  "INTEGER",
  "TEXT",
  "REAL",
  "BLOB",
  "NUMERIC",
  "VARCHAR(10)",
  "FLOAT",
  "ANY",
  "DATE",
];
const STRICT_TYPES = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const DEFAULTS = ["1", "-2.5", "'it''s'", "x'00ff'", "TRUE", "(1 + 1)", "1.0", "CURRENT_TIMESTAMP"];
const CHARACTERS = [..."aZ'\"\\nr\n\r\t 0;-\0\u0001\u007fäé€\u2028\ufeff😀"];

type Random = (below: number) => number;

/** What of it D1 does not get, besides what begins with `_cf_`: names of full-text tables without texts. */
export interface Made {
  empty: string[];
}

/** Makes the database of `seed` at `path`. */
export function makeRandom(path: string, seed: number): Made {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  try {
    db.exec(
      `PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA page_size = ${512 << (seed % 8)}`,
    );
    return new Maker(db, random(seed)).make();
  } finally {
    db.close();
  }
}

class Maker {
  readonly #db: DatabaseSync;
  readonly #random: Random;
  /** Tables with `id INTEGER PRIMARY KEY`. */
  #parents: string[] = [];
  readonly #empty: string[] = [];

  constructor(db: DatabaseSync, random: Random) {
    this.#db = db;
    this.#random = random;
  }

  make(): Made {
    const count = 3 + this.#random(5);
    const names = Array.from({ length: count }, (_, number) => `t${number} ${this.#pick(NAMES)}`);
    this.#parents = names.filter(() => this.#random(2) === 0);
    for (const name of names) this.#table(name);
    for (const name of this.#tables()) this.#refer(name);
    this.#leaveNoOrphans();
    const made = this.#tables();
    this.#parents = this.#parents.filter((name) => made.includes(name));
    for (const [number, name] of made.entries()) this.#around(name, number);
    this.#fullText();
    this.#spatialIndex();
    for (const [number, name] of made.entries()) this.#triggers(name, number);
    this.#try("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
    if (this.#random(2) === 0) this.#try("ANALYZE");
    return { empty: this.#empty };
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#random(Math.max(list.length, 1))] as T;
  }

  /** Whether SQLite took it. */
  #try(sql: string): boolean {
    try {
      this.#db.exec(sql);
      return true;
    } catch {
      return false;
    }
  }

  #table(name: string): void {
    const [strict, withoutRowid] = [this.#random(5) === 0, this.#random(4) === 0];
    const hasId = this.#parents.includes(name);
    const types = strict ? STRICT_TYPES : TYPES;
    const columns = [...new Set(Array.from({ length: 1 + this.#random(5) }, () => this.#pick(NAMES)))];
    const parts = columns.map((column) => {
      const extra = [
        () => `${this.#pick(types)} DEFAULT ${this.#pick(DEFAULTS)}`,
        () => `${this.#pick(types)} COLLATE NOCASE`,
        // Of the parent's type: SQLite itself does not count a row of another type that refers to itself.
        () => `INTEGER REFERENCES ${identifier(this.#pick(this.#parents) ?? name)} ON DELETE CASCADE`,
        // Not of how a real one looks as text: there SQLite's versions differ.
        () => `ANY AS (typeof(${identifier(columns[0] ?? "")}) || ';')${this.#pick(["", " STORED"])}`,
      ][column === columns[0] ? 9 : this.#random(7)];
      return `${identifier(column)} ${extra?.() ?? this.#pick(types)}`;
    });
    if (hasId)
      parts.unshift(`id INTEGER PRIMARY KEY ${withoutRowid ? "" : this.#pick(["", "AUTOINCREMENT"])}`);
    else if (withoutRowid) parts.push(`PRIMARY KEY (${identifier(columns.at(-1) ?? "")} DESC)`);
    const options = [...(strict ? ["STRICT"] : []), ...(withoutRowid ? ["WITHOUT ROWID"] : [])];
    if (!this.#try(`CREATE TABLE ${identifier(name)} (${parts}) ${options}`)) return;
    this.#rows(name);
    if (this.#random(3) === 0) {
      this.#try(`ALTER TABLE ${identifier(name)} ADD COLUMN later DEFAULT ${this.#pick(DEFAULTS)}`);
      this.#rows(name);
    }
    if (this.#random(3) === 0) this.#try(`DELETE FROM ${identifier(name)} WHERE rowid % 2`);
  }

  #rows(name: string): void {
    const info = this.#db.prepare("SELECT name FROM pragma_table_info(?)").all(name);
    const columns = info.map((column) => identifier(String(column.name)));
    // One row of a table may be long.
    const long = this.#random(4) === 0 ? this.#random(8) : -1;
    for (let row = this.#random(12); row >= 0; row--) {
      const values = columns.map(() => this.#value());
      if (row === long) values[this.#random(values.length)] = this.#long();
      this.#try(`INSERT OR IGNORE INTO ${identifier(name)} (${columns}) VALUES (${values})`);
    }
  }

  /** A literal. */
  #value(): string {
    const bits = (BigInt(this.#random(2 ** 32)) << 32n) | BigInt(this.#random(2 ** 32));
    switch (this.#random(11)) {
      case 0:
        return "NULL";
      case 1:
        return `${BigInt.asIntN(64, bits) >> BigInt(this.#random(64))}`;
      case 2:
        return this.#pick(["0", "9223372036854775807", "-9223372036854775808", "9007199254740993"]);
      case 3: {
        const real = new Float64Array(new BigUint64Array([bits]).buffer)[0] ?? 0;
        return Number.isFinite(real) ? real.toExponential() : "9e999";
      }
      case 4:
        return this.#pick(["0.0", "-0.0", "1.0", "1e15", "5e-324", "-9e999", "1.7976931348623157e308"]);
      case 5:
        return `X'${this.#bytes(this.#random(60)).toString("hex")}'`;
      case 6:
        // D1's SQLite takes a number before a NUL for the whole text, where the column prefers numbers.
        return `CAST(X'7f${this.#bytes(this.#random(9)).toString("hex")}' AS TEXT)`;
      case 7:
        return `(SELECT max(id) - ${this.#random(3)} FROM ${identifier(this.#parents.at(-1) ?? "")})`;
      case 8:
        return this.#pick(["' 12 '", "'1e5'", "'0x10'", "''", "'BEGIN TRANSACTION;'", "'COMMIT;'", "'nan'"]);
      default:
        return this.#text(this.#random(30));
    }
  }

  #long(): string {
    const size = 150_000 + this.#random(this.#random(3) === 0 ? 1_700_000 : 300_000);
    if (this.#random(2) === 0) return `X'${this.#bytes(size).toString("hex")}'`;
    const part = Array.from({ length: 1 + this.#random(40) }, () => this.#pick(CHARACTERS)).join("x");
    const text = part.repeat(Math.floor(size / Buffer.byteLength(part)));
    return `CAST(X'${Buffer.from(text).toString("hex")}' AS TEXT)`;
  }

  #text(length: number): string {
    const text = Array.from({ length }, () => this.#pick(CHARACTERS)).join("");
    return `CAST(X'${Buffer.from(`${length > 0 ? "a" : ""}${text}`).toString("hex")}' AS TEXT)`;
  }

  #bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.#random(256)));
  }

  #around(name: string, number: number): void {
    const [table, column] = [identifier(name), identifier(this.#pick(NAMES))];
    if (this.#random(2) === 0) this.#try(`CREATE UNIQUE INDEX "u${number};" ON ${table} (${column})`);
    if (this.#random(2) === 0)
      this.#try(
        `CREATE INDEX "i'${number}" ON ${table} (${column} DESC, length(${column})) WHERE ${column} > 'x'`,
      );
    this.#try(`CREATE VIEW "v${number} -- " AS SELECT *, ';' FROM ${table} /* END */`);
  }

  #triggers(name: string, number: number): void {
    const body = `BEGIN SELECT CASE WHEN 1 THEN ';END;' END; DELETE FROM ${identifier(name)} WHERE 0; -- END;\n END`;
    const event = this.#pick(["AFTER INSERT", "BEFORE UPDATE", "AFTER DELETE"]);
    this.#try(`CREATE TRIGGER "r${number}" ${event} ON ${identifier(name)} ${body}`);
    this.#try(`CREATE TRIGGER "o${number}" INSTEAD OF INSERT ON "v${number} -- " ${body}`);
  }

  #fullText(): void {
    const parent = this.#pick(this.#parents.filter((name) => this.#columnsOf(name).length > 0));
    const kinds = ["", "content=''"];
    if (parent !== undefined) kinds.push(`content=${identifier(parent)}, content_rowid=id`);
    const column = identifier(parent === undefined ? "text" : this.#pick(this.#columnsOf(parent)));
    for (const [number, kind] of kinds.entries()) {
      if (this.#random(2) === 0) continue;
      const name = identifier(`f${number} ${this.#pick(NAMES)}`);
      const tokenize = this.#pick(["unicode61", "porter ascii", "trigram"]);
      const options = [`tokenize='${tokenize}'`, ...(kind === "" ? [] : [kind])];
      if (!this.#try(`CREATE VIRTUAL TABLE ${name} USING fts5(${column}, ${options})`)) continue;
      if (number === 1) this.#empty.push(name.slice(1, -1).replaceAll('""', '"'));
      if (number === 2) this.#try(`INSERT INTO ${name} (${name}) VALUES ('rebuild')`);
      else
        for (let row = this.#random(9); row > 0; row--)
          this.#try(`INSERT INTO ${name} (${column}) VALUES (${this.#value()})`);
    }
  }

  #columnsOf(table: string): string[] {
    const info = this.#db.prepare("SELECT name FROM pragma_table_info(?) WHERE name <> 'id'").all(table);
    // FTS5 has a column of this name itself.
    return info.map((column) => String(column.name)).filter((name) => name !== "rowid");
  }

  #spatialIndex(): void {
    if (this.#random(2) === 0) return;
    const name = identifier(`r ${this.#pick(NAMES)}`);
    if (
      !this.#try(
        `CREATE VIRTUAL TABLE ${name} USING ${this.#pick(["rtree", "rtree_i32"])}(id, x0, x1, +note)`,
      )
    )
      return;
    for (let row = this.#random(200); row > 0; row--) {
      const low = this.#random(1000) / 7 - 50;
      this.#try(
        `INSERT OR IGNORE INTO ${name} VALUES (${this.#value()}, ${low}, ${low + 3}, ${this.#value()})`,
      );
    }
  }

  /** Lets foreign keys refer to something. */
  #refer(name: string): void {
    const keys = this.#db.prepare(
      'SELECT "from" AS child, "table" AS parent FROM pragma_foreign_key_list(?)',
    );
    for (const { child, parent } of keys.all(name)) {
      const [from, to] = [identifier(String(child)), identifier(String(parent))];
      const found = `(SELECT id FROM ${to} LIMIT 1 OFFSET ${this.#random(3)})`;
      this.#try(`UPDATE OR IGNORE ${identifier(name)} SET ${from} = ${found} WHERE ${from} IS NOT NULL`);
    }
  }

  /** D1 takes no row whose foreign key refers to nothing, or to what is no key. */
  #leaveNoOrphans(): void {
    while (
      this.#tables().some((name) => !this.#canHaveRows(name) && this.#try(`DROP TABLE ${identifier(name)}`))
    );
    for (let found = 1; found > 0; ) {
      const orphans = this.#db.prepare(
        'SELECT "table" AS name, CAST(rowid AS TEXT) AS id FROM pragma_foreign_key_check',
      );
      found = 0;
      for (const { name, id } of orphans.all()) {
        // A column may have the name rowid, but none has this one.
        const where = id === null ? "1" : `_rowid_ = ${id}`;
        this.#db.exec(`DELETE FROM ${identifier(String(name))} WHERE ${where}`);
        found++;
      }
    }
  }

  #tables(): string[] {
    const rows = this.#db.prepare("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE TABLE \"t%'").all();
    return rows.map(({ name }) => String(name));
  }

  #canHaveRows(name: string): boolean {
    const parents = this.#db.prepare(
      'SELECT DISTINCT lower("table") AS name FROM pragma_foreign_key_list(?)',
    );
    const there = new Set(this.#tables().map((name) => name.toLowerCase()));
    if (!parents.all(name).every((parent) => there.has(String(parent.name)))) return false;
    return this.#try(`PRAGMA foreign_key_check(${identifier(name)})`);
  }
}
