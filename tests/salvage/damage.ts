// Random databases, random damage, and how many of the rows come back: ours beside the shell's `.recover`.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { damagedFile, dumpSource } from "pagemark";

const programs = join(import.meta.dirname, "../../.cache/bin");
const shell = join(programs, "sqlite3_shell");
/** A shell with `.recover`; `SQLITE3_RECOVER` names another one. */
const recovering = process.env.SQLITE3_RECOVER ?? join(programs, "sqlite3_recover");

/** Random numbers that are the same in every run (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

interface Table {
  name: string;
  /** Names in the order of the record, where the rowid by another name is NULL. */
  record: string[];
  alias: string | undefined;
}

export interface Made {
  tables: Table[];
  pageSize: number;
}

const TYPES = ["INTEGER", "TEXT", "REAL", "BLOB", "", "NUMERIC", "VARCHAR(20)", "DATETIME"];

/** A database of a few tables in a file; each row has a value that no other has. */
export function makeDatabase(path: string, random: Random): Made {
  rmSync(path, { force: true });
  const db = new DatabaseSync(path);
  const pageSize = random.pick([512, 1024, 1024, 2048, 4096, 4096, 4096, 8192, 16384, 32768, 65536]);
  const encoding = random.pick(["UTF-8", "UTF-8", "UTF-8", "UTF-16le", "UTF-16be"]);
  const autoVacuum = random.pick([0, 0, 0, 1, 2]);
  db.exec(
    `PRAGMA page_size=${pageSize}; PRAGMA encoding='${encoding}'; PRAGMA auto_vacuum=${autoVacuum}; BEGIN`,
  );
  const tables: Table[] = [];
  let marker = 0;
  for (let t = 0, count = 1 + random.below(5); t < count; t++) {
    const name = `t${t}`;
    const columns = Array.from({ length: 1 + random.below(6) }, (_, index) => ({
      name: `c${index}`,
      type: random.pick(TYPES),
    }));
    const kind = random.pick(["rowid", "rowid", "alias", "alias", "alias", "without"]);
    const key =
      kind === "without" ? "k TEXT PRIMARY KEY, " : kind === "alias" ? "id INTEGER PRIMARY KEY, " : "";
    const list = columns.map((column) => `${column.name} ${column.type}`).join(", ");
    db.exec(`CREATE TABLE ${name} (${key}m TEXT, ${list})${kind === "without" ? " WITHOUT ROWID" : ""}`);
    if (random.below(2) === 0) db.exec(`CREATE INDEX i${t} ON ${name} (${random.pick(columns).name})`);
    const names = [
      ...(kind === "without" ? ["k"] : kind === "alias" ? ["id"] : []),
      "m",
      ...columns.map((column) => column.name),
    ];
    tables.push({ name, record: names, alias: kind === "alias" ? "id" : undefined });
    const insert = db.prepare(
      `INSERT INTO ${name} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    );
    const rows = random.pick([0, 1, 5, 60, 300, 1500, 4000]);
    for (let row = 0; row < rows; row++) {
      const id = marker++;
      const values: SQLInputValue[] = names.map((column) => {
        if (column === "id") return row * 2 + 1;
        if (column === "k") return `key ${id.toString(36)} ${"k".repeat(random.below(20))}`;
        if (column === "m") return `m${id}`;
        return someValue(columns.find((other) => other.name === column)?.type ?? "", random, pageSize);
      });
      insert.run(...values);
    }
    if (random.below(3) === 0 && rows > 10) {
      const from = random.below(rows);
      db.exec(
        `DELETE FROM ${name} WHERE CAST(substr(m, 2) AS INTEGER) BETWEEN ${marker - from} AND ${marker - from + rows / 4}`,
      );
    }
  }
  db.exec("COMMIT");
  db.close();
  return { tables, pageSize };
}

function someValue(type: string, random: Random, pageSize: number): SQLInputValue {
  const kind = random.below(20);
  if (kind === 0) return null;
  const words = () =>
    Array.from({ length: 1 + random.below(6) }, () => random.below(1e6).toString(36)).join(" ");
  if (kind === 1 && pageSize <= 4096 && type !== "INTEGER" && type !== "REAL")
    return words().repeat(1 + random.below(pageSize / 8));
  switch (type) {
    case "INTEGER":
      return random.pick([0, 1, random.below(200), random.below(2 ** 31), -random.below(1e6)]);
    case "REAL":
      return random.below(1e6) / 7;
    case "BLOB":
      return new Uint8Array(Array.from({ length: random.below(40) }, () => random.below(256)));
    case "NUMERIC":
      return random.below(1e5) / 8;
    case "DATETIME":
      return `2026-11-${10 + random.below(19)} 10:${10 + random.below(49)}`;
    default:
      return words();
  }
}

export const DAMAGE = [
  "zeroed",
  "noise",
  "copied",
  "swapped",
  "truncated",
  "header",
  "pointers",
  "page headers",
  "first page",
  "bytes",
] as const;

/** Damage that keeps to no page. */
export const MORE_DAMAGE = ["zeroed range", "noisy range", "start lost"] as const;

export type Damage = (typeof DAMAGE)[number] | (typeof MORE_DAMAGE)[number];

/** What `kind` does to a database file. */
export function damage(file: Uint8Array, pageSize: number, kind: Damage, random: Random): Uint8Array {
  const bytes = Uint8Array.from(file);
  const count = bytes.length / pageSize;
  const page = (index: number) => bytes.subarray(index * pageSize, (index + 1) * pageSize);
  // Page 1 has a kind of its own.
  const any = () => (count > 1 ? 1 + random.below(count - 1) : 0);
  const times = 1 + random.below(3);
  const noise = (into: Uint8Array) => into.set(Uint8Array.from(into, () => random.below(256)));
  const range = () => {
    const start = random.below(bytes.length);
    return bytes.subarray(start, start + 1 + random.below(Math.max(1, bytes.length >> 2)));
  };
  switch (kind) {
    case "zeroed range":
      range().fill(0);
      return bytes;
    case "noisy range":
      noise(range());
      return bytes;
    case "start lost":
      return bytes.subarray(pageSize);
    case "zeroed":
      for (let n = 0; n < times; n++) page(any()).fill(0);
      return bytes;
    case "noise":
      for (let n = 0; n < times; n++) noise(page(any()));
      return bytes;
    case "copied":
      for (let n = 0; n < times; n++) page(any()).set(page(any()).slice());
      return bytes;
    case "swapped":
      for (let n = 0; n < times; n++) {
        const [one, other] = [any(), any()];
        const kept = page(one).slice();
        page(one).set(page(other).slice());
        page(other).set(kept);
      }
      return bytes;
    case "truncated":
      return bytes.subarray(
        0,
        random.pick([bytes.length - 1, bytes.length >> 1, 1 + random.below(bytes.length)]),
      );
    case "header":
      for (let n = 0; n < times; n++)
        bytes[random.pick([16, 17, 18, 19, 20, 28, 29, 30, 31, 32, 35, 36, 39, 44, 56, 59, 5])] =
          random.below(256);
      return bytes;
    case "pointers":
      for (let n = 0; n < times; n++) {
        const at = any();
        const start = at === 0 ? 108 : 8;
        noise(page(at).subarray(start, start + 2 + 2 * random.below(20)));
      }
      return bytes;
    case "page headers":
      for (let n = 0; n < times; n++) page(any())[random.below(8)] = random.below(256);
      return bytes;
    case "first page":
      random.pick([
        () => page(0).fill(0),
        () => noise(page(0)),
        () => page(0).set(page(any()).slice()),
        () => page(0).fill(0, 0, 100),
      ])();
      return bytes;
    case "bytes":
      for (let n = 0; n < 20; n++)
        bytes[pageSize + random.below(Math.max(1, bytes.length - pageSize))] = random.below(256);
      return bytes;
  }
}

export interface Counted {
  /** Rows that are in their own table, as they were. */
  right: number;
  /** Rows that are in no table, as they were, but for the name of their rowid. */
  lost: number;
  /** Rows of the tables that were in none of them, or in another. */
  wrong: number;
}

/** How many rows of the database at `original` are in the one that `sql` makes. */
export function compare(original: string, { tables }: Made, sql: string | Uint8Array, made: string): Counted {
  rmSync(made, { force: true });
  spawnSync(shell, [made], { input: sql, maxBuffer: 1 << 28 });
  const from = new DatabaseSync(original);
  const to = new DatabaseSync(made);
  const counted: Counted = { right: 0, lost: 0, wrong: 0 };
  const missing = new Map<string, number>();
  for (const { name, record, alias } of tables) {
    const wanted = new Map<string, number>();
    const list = record.join(", ");
    for (const row of rowsOf(from, `SELECT ${list} FROM ${name}`)) add(wanted, JSON.stringify(row), 1);
    for (const row of rowsOf(to, `SELECT ${list} FROM ${name}`)) {
      const key = JSON.stringify(row);
      if ((wanted.get(key) ?? 0) > 0) {
        add(wanted, key, -1);
        counted.right++;
      } else counted.wrong++;
    }
    for (const [key, count] of wanted) {
      if (count <= 0) continue;
      const values: unknown[] = JSON.parse(key);
      add(
        missing,
        JSON.stringify(values.map((value, index) => (record[index] === alias ? "null" : value))),
        count,
      );
    }
  }
  for (const { name } of rowsOf(
    to,
    "SELECT name FROM sqlite_schema WHERE name LIKE 'lost_and_found%' AND type = 'table'",
  ).map(([name]) => ({ name: String(name).slice(5) }))) {
    const [columns = []] = [
      rowsOf(to, `SELECT name FROM pragma_table_info('${name}')`)
        .map(([column]) => String(column).slice(5))
        .filter((column) => /^c\d+$/.test(column)),
    ];
    for (const [fields, ...row] of rowsOf(to, `SELECT nfield, ${columns.join(", ") || "0"} FROM ${name}`)) {
      const count = Number(String(fields).slice(8));
      const key = JSON.stringify(row.slice(0, count));
      if ((missing.get(key) ?? 0) > 0) {
        add(missing, key, -1);
        counted.lost++;
      }
    }
  }
  from.close();
  to.close();
  return counted;
}

function add(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** Values with their types, as text. */
function rowsOf(db: DatabaseSync, sql: string): string[][] {
  try {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all().map((row) => Object.values(row).map(textOf));
  } catch {
    return [];
  }
}

function textOf(value: unknown): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return `blob:${Buffer.from(value).toString("hex")}`;
  if (typeof value === "bigint") return `integer:${value}`;
  return typeof value === "number" ? `real:${value}` : `text:${value}`;
}

/** What is left of the file, as SQL: ours. */
export async function salvage(path: string): Promise<Uint8Array> {
  const body = await dumpSource(damagedFile(path), { salvage: true });
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** The same by the shell. */
export function recover(path: string): Uint8Array {
  const { stdout, error } = spawnSync(recovering, [path, ".recover"], { maxBuffer: 1 << 28 });
  if (error) throw error;
  return stdout;
}

export interface Result {
  seed: number;
  kind: string;
  pageSize: number;
  rows: number;
  ours: Counted;
  theirs: Counted;
  /** Why ours gave nothing where the shell gave rows. */
  failed?: string;
}

/** One damaged file, salvaged by both. */
export async function trial(
  folder: string,
  seed: number,
  kind: Damage = DAMAGE[seed % DAMAGE.length] ?? "zeroed",
): Promise<Result> {
  const random = new Random(seed * 7919);
  const [original, damaged] = [join(folder, "original.db"), join(folder, "damaged.db")];
  const made = makeDatabase(original, random);
  writeFileSync(damaged, damage(readFileSync(original), made.pageSize, kind, random));
  const none: Counted = { right: 0, lost: 0, wrong: 0 };
  const rows = countRows(original, made);
  const theirs = compare(original, made, recover(damaged), join(folder, "theirs.db"));
  const result = { seed, kind, pageSize: made.pageSize, rows, theirs };
  try {
    return { ...result, ours: compare(original, made, await salvage(damaged), join(folder, "ours.db")) };
  } catch (error) {
    // Of a file without a page that SQLite wrote nothing can be had.
    const failed = theirs.right + theirs.lost > 0 ? { failed: String(error) } : {};
    return { ...result, ours: none, ...failed };
  }
}

function countRows(path: string, { tables }: Made): number {
  const db = new DatabaseSync(path);
  const count = tables.reduce(
    (sum, { name }) =>
      sum + Number((db.prepare(`SELECT count(*) AS n FROM ${name}`).get() as { n: number }).n),
    0,
  );
  db.close();
  return count;
}
