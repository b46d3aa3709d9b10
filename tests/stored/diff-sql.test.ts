// SQL that turns one state of a database into another, run by SQLite.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Database, file, memoryStore, pagemark } from "pagemark";
import { beforeEach, describe, expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
let path: string;
let db: Database;
let count = 0;

const START = `
  PRAGMA user_version = 1;
  CREATE TABLE orders (note, id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE);
  CREATE TABLE plain (a, b);
  CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
  CREATE TABLE gone (a);
  CREATE TABLE log (line);
  CREATE TABLE "it's (" (id INTEGER PRIMARY KEY, note);
  CREATE INDEX plain_a ON plain (a);
  CREATE VIEW v AS SELECT note FROM orders;
  CREATE TRIGGER t AFTER INSERT ON orders BEGIN INSERT INTO log VALUES (new.id); END;
  CREATE VIRTUAL TABLE words USING fts5 (body);
  INSERT INTO words VALUES ('hello world'), ('it''s');
  WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO orders (note, code) SELECT 'a, (b) ''' || i || char(10) || '(', 'code ' || i FROM n;
  INSERT INTO plain SELECT id, note FROM orders;
  INSERT INTO keyed SELECT code, id FROM orders;
  INSERT INTO "it's (" SELECT id, note FROM orders;`;

beforeEach(async () => {
  path = join(folder, `app-${count++}.db`);
  runSql(path, START);
  copyFileSync(path, `${path}.before`);
  db = pagemark(file(path), { name: "app", store: memoryStore() });
  await db.backup();
});

/** All that SQL sees. */
function contents(path: string): string[] {
  const connection = new DatabaseSync(path);
  try {
    const objects = connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all();
    const lines = objects.map((row) => JSON.stringify(row));
    for (const { type, name } of objects) {
      if (type !== "table" || String(name).startsWith("words_")) continue;
      const columns = connection.prepare("SELECT name FROM pragma_table_info(?)").all(String(name));
      const values = columns.map((column) => `quote("${column.name}")`).join(" || ',' || ");
      const rowid = /keyed|sqlite_/.test(String(name)) ? "0" : "rowid";
      const rows = connection
        .prepare(`SELECT ${rowid} AS r, ${values} AS v FROM "${name}" ORDER BY 1, 2`)
        .all();
      lines.push(...rows.map(({ r, v }) => `${name} ${r} ${v}`));
    }
    lines.push(JSON.stringify(connection.prepare("PRAGMA user_version").get()));
    lines.push(JSON.stringify(connection.prepare("PRAGMA integrity_check").get()));
    return lines;
  } finally {
    connection.close();
  }
}

/** The SQL of the difference, after which the state before is the one after. */
async function applied(to?: "now"): Promise<string> {
  const first = (await Array.fromAsync(db.backups())).at(-1)?.id ?? "";
  const sql = await new Response(await db.diffSql(first, to)).text();
  runSql(`${path}.before`, sql);
  expect(contents(`${path}.before`)).toEqual(contents(path));
  return sql;
}

const CHANGES: [string, string][] = [
  [
    "rows are added, changed and removed",
    "UPDATE orders SET note = 'x' WHERE id % 100 = 0; DELETE FROM orders WHERE id = 7; INSERT INTO orders (note, code) VALUES (NULL, 'new')",
  ],
  [
    "values that must be unique change places",
    "UPDATE orders SET code = 'c' WHERE id = 1; UPDATE orders SET code = 'code 1' WHERE id = 2; UPDATE orders SET code = 'code 2' WHERE id = 1",
  ],
  ["a table is emptied", "DELETE FROM plain"],
  [
    "rows of an oddly named table change",
    `UPDATE "it's (" SET id = 1000 WHERE id = 9; DELETE FROM "it's (" WHERE id = 11`,
  ],
  ["rows of a table without rowids change", "UPDATE keyed SET v = 0 WHERE v = 3"],
  [
    "tables come, go and are defined otherwise",
    "DROP TABLE gone; CREATE TABLE come (a PRIMARY KEY); INSERT INTO come VALUES (1); ALTER TABLE plain ADD c DEFAULT 5",
  ],
  [
    "indexes, views and triggers change",
    "DROP INDEX plain_a; CREATE INDEX plain_b ON plain (b); DROP VIEW v; CREATE VIEW v AS SELECT 1; DROP TRIGGER t",
  ],
  ["full-text changes", "INSERT INTO words VALUES ('more'); DELETE FROM words WHERE rowid = 1"],
  ["the version changes", "PRAGMA user_version = 9; INSERT INTO log VALUES (1)"],
];

describe("diff as SQL", () => {
  for (const [what, sql] of CHANGES) {
    test(`turns one backup into the next, and into the database as it is now, where ${what}`, async () => {
      runSql(path, sql);
      await applied("now");
      copyFileSync(`${path}`, `${path}.after`);
      await db.backup();
      await db.restore({ at: (await Array.fromAsync(db.backups())).at(-1)?.id ?? "", safety: false });
      copyFileSync(path, `${path}.before`);
      copyFileSync(`${path}.after`, path);
      await applied();
    });
  }

  test("writes the rows that differ, and no others", async () => {
    runSql(path, "UPDATE orders SET note = 'x' WHERE id = 250; DELETE FROM plain WHERE rowid = 3");
    const sql = await applied("now");
    expect(sql.match(/^(?:INSERT OR REPLACE INTO|DELETE FROM) "(?:orders|plain)".*/gm)).toEqual([
      `INSERT OR REPLACE INTO "orders"("note","id","code") VALUES('x',250,'code 250');`,
      `DELETE FROM "plain" WHERE "rowid"=3;`,
    ]);
  });

  test("tells tables that differ between a backup and now", async () => {
    runSql(path, "DELETE FROM orders WHERE id = 1; CREATE TABLE come (a); DROP TABLE gone");
    const { from, to, tables } = await db.diff("-0s", "now");
    expect([from.kind, to]).toEqual(["full", undefined]);
    expect(
      tables
        .filter(({ change }) => change !== "unchanged")
        .map(({ name, change, rows }) => [name, change, rows]),
    ).toEqual([
      ["gone", "removed", null],
      ["come", "added", null],
      ["orders", "changed", { added: 0, removed: 1, updated: 0 }],
    ]);
  });
});
