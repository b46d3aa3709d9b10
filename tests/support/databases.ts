// Databases that real SQLite makes, of every shape a backup meets, and what happens to them between two backups.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { runSql, tableSql } from "./temp.ts";

/** SQLite's shell 3.54.1; its absence fails the test. */
const shell = join(import.meta.dirname, "../../.cache/bin/sqlite3_shell");

export interface Shape {
  name: string;
  /** Makes the database at a path where nothing is. */
  make(path: string): void;
  /** What happens to it, in order: a backup is made after each. */
  changes: string[];
}

export const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

/** It changes, grows, shrinks, and grows over what it had shrunk by. */
const CHANGES = [
  "UPDATE a SET note = 'changed' WHERE id % 50 = 0",
  tableSql("b", 300, 900),
  "DROP TABLE b; DELETE FROM a WHERE id > 100; VACUUM",
  tableSql("c", 200, 700),
];

/** With a table `a` of `tableSql` in it, beside what `sql` makes. */
function shape(name: string, sql: string, changes: string[] = CHANGES): Shape {
  return { name, make: (path) => runSql(path, sql + tableSql("a", 400)), changes };
}

export const SHAPES: Shape[] = [
  ...PAGE_SIZES.map((size) => shape(`pages of ${size}`, `PRAGMA page_size = ${size};`)),
  reserving(512, 32),
  reserving(4096, 255),
  shape("auto_vacuum", "PRAGMA page_size = 1024; PRAGMA auto_vacuum = FULL;"),
  shape("incremental auto_vacuum", "PRAGMA page_size = 1024; PRAGMA auto_vacuum = INCREMENTAL;", [
    ...CHANGES,
    "DROP TABLE a; PRAGMA incremental_vacuum(3)",
    "PRAGMA incremental_vacuum",
  ]),
  shape("UTF-16le", "PRAGMA encoding = 'UTF-16le';"),
  shape("UTF-16be", "PRAGMA encoding = 'UTF-16be';"),
  shape("WAL mode", "PRAGMA journal_mode = WAL;"),
  shape("a journal that stays", "PRAGMA journal_mode = PERSIST;"),
  shape(
    "WITHOUT ROWID tables",
    `CREATE TABLE w (k TEXT, n INTEGER, data BLOB, PRIMARY KEY (k, n)) WITHOUT ROWID;
     ${insertNumbers(800, "w", "'key ' || (i % 97), i, randomblob(i % 400)")};`,
    [...CHANGES, "DELETE FROM w WHERE n % 3 = 0; UPDATE w SET data = zeroblob(2000) WHERE n % 11 = 0"],
  ),
  shape("overflow pages", `${tableSql("long", 4, 300_000)}`, [
    ...CHANGES,
    "UPDATE long SET payload = randomblob(120000) WHERE id = 2; DELETE FROM long WHERE id = 3",
    "UPDATE long SET payload = payload || payload WHERE id = 1",
  ]),
  shape(
    "an FTS5 index",
    `CREATE VIRTUAL TABLE words USING fts5(body);
     ${insertNumbers(500, "words", "'alpha ' || i || ' beta' || (i * 31 % 77)")};`,
    [
      ...CHANGES,
      "DELETE FROM words WHERE rowid % 4 = 0",
      "INSERT INTO words (words) VALUES ('optimize'); VACUUM",
    ],
  ),
  shape(
    "an R-Tree",
    `CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);
     ${insertNumbers(500, "boxes", "i, i, i + 3, i * 7 % 100, i * 7 % 100 + 1")};`,
    [...CHANGES, "DELETE FROM boxes WHERE id % 2 = 0", "UPDATE boxes SET x1 = x1 + 10 WHERE x0 < 50"],
  ),
  {
    name: "no tables",
    make: (path) => runSql(path, "PRAGMA user_version = 1"),
    changes: [
      "PRAGMA user_version = 2",
      tableSql("a", 100),
      "DROP TABLE a; VACUUM",
      "PRAGMA user_version = 3",
    ],
  },
  shape("a schema alone", "CREATE VIEW v AS SELECT 1; CREATE TABLE empty (a, b, UNIQUE (a, b));", [
    "DROP TABLE a; VACUUM",
    "CREATE TRIGGER t AFTER INSERT ON empty BEGIN DELETE FROM empty WHERE a IS NULL; END",
  ]),
  // Every other size, so both ways: the backup after it must be a full one.
  ...[512, 65536].map((size) =>
    shape(`pages of 4096 that become pages of ${size}`, "PRAGMA page_size = 4096;", [
      "UPDATE a SET note = 'changed' WHERE id % 50 = 0",
      `PRAGMA page_size = ${size}; VACUUM`,
      tableSql("c", 200, 700),
    ]),
  ),
];

/** Pages with room at their end that SQLite leaves to extensions, such as for encryption or checksums. */
function reserving(pageSize: number, bytes: number): Shape {
  const make = (path: string) => {
    const commands = [".bail on", `PRAGMA page_size = ${pageSize};`, `.filectrl reserve_bytes ${bytes}`];
    execFileSync(shell, [path], { input: [...commands, tableSql("a", 400)].join("\n") });
  };
  return { name: `pages of ${pageSize} that reserve ${bytes} bytes`, make, changes: CHANGES };
}

/** Inserts a row made from every number `i` up to `count`. */
function insertNumbers(count: number, table: string, values: string): string {
  return `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO ${table} SELECT ${values} FROM n`;
}
