// One table out of a backup into a database that is there, and may be in use.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Database, file, memoryStore, pagemark } from "pagemark";
import { beforeEach, describe, expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();

const SHOP = `
  PRAGMA user_version = 7;
  CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
  CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer REFERENCES customers (id) ON DELETE CASCADE, total REAL CHECK (total > 0));
  CREATE INDEX orders_customer ON orders (customer);
  CREATE TABLE log (line);
  CREATE TRIGGER orders_log AFTER INSERT ON orders BEGIN INSERT INTO log VALUES ('order ' || new.id); END;
  CREATE VIEW large AS SELECT id FROM orders WHERE total > 10;
  CREATE TABLE odd (a, b);
  INSERT INTO customers VALUES (1, 'a'), (2, 'b');
  INSERT INTO orders (customer, total) VALUES (1, 5), (2, 50);
  INSERT INTO odd (rowid, a, b) VALUES (7, 9007199254740993, CAST(x'610062' AS TEXT)), (9, -0.0, CAST(x'ff' AS TEXT));
  CREATE VIRTUAL TABLE words USING fts5 (body);
  INSERT INTO words VALUES ('hello world');`;

let path: string;
let db: Database;
let count = 0;

beforeEach(async () => {
  path = join(folder, `shop-${count++}.db`);
  runSql(path, SHOP);
  db = pagemark(file(path), { name: "shop", store: memoryStore() });
  await db.backup();
});

const ask = (sql: string) => {
  const connection = new DatabaseSync(path);
  try {
    const statement = connection.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all().map((row) => Object.values(row));
  } finally {
    connection.close();
  }
};

const ODD = "SELECT rowid, a, typeof(a), hex(CAST(b AS BLOB)) FROM odd";

describe("E2 one table of a backup", () => {
  test("comes back with its indexes, triggers and sequence, and nothing else changes", async () => {
    runSql(
      path,
      `PRAGMA user_version = 8; DROP TABLE orders; CREATE TABLE orders (id, total, other); INSERT INTO customers VALUES (3, 'c'); DELETE FROM log`,
    );
    const { tables, undo } = await db.restore({ tables: ["ORDERS"] });
    expect(tables).toEqual([{ name: "orders", rows: 2, replaced: true }]);
    expect(ask("SELECT * FROM orders")).toEqual([
      [1n, 1n, 5],
      [2n, 2n, 50],
    ]);
    expect(ask("SELECT name FROM sqlite_schema WHERE tbl_name = 'orders' ORDER BY name")).toEqual([
      ["orders"],
      ["orders_customer"],
      ["orders_log"],
    ]);
    expect(ask("SELECT seq FROM sqlite_sequence WHERE name = 'orders'")).toEqual([[2n]]);
    expect(ask("PRAGMA user_version")).toEqual([[8n]]);
    expect(ask("SELECT count(*) FROM log")).toEqual([[0n]]);
    expect(ask("SELECT count(*) FROM customers")).toEqual([[3n]]);
    expect(ask("PRAGMA integrity_check")).toEqual([["ok"]]);
    await db.restore({ at: undo ?? "", tables: ["orders"] });
    expect(ask("SELECT name FROM pragma_table_info('orders')")).toEqual([["id"], ["total"], ["other"]]);
  });

  test("comes back exactly, to the rowid, and virtual tables and views do, too", async () => {
    const before = ask(ODD);
    runSql(path, "DROP TABLE odd; DELETE FROM words; DROP VIEW large; CREATE VIEW large AS SELECT 1");
    const { tables } = await db.restore({ tables: ["odd", "words", "large"] });
    expect(tables?.map(({ name, rows }) => [name, rows])).toEqual([
      ["odd", 2],
      ["words", 1],
      ["large", undefined],
    ]);
    expect(ask(ODD)).toEqual(before);
    expect(ask("SELECT * FROM words('hello')")).toEqual([["hello world"]]);
    expect(ask("SELECT * FROM large")).toEqual([[2n]]);
  });

  test("is shown before, and nothing is changed then", async () => {
    runSql(path, "DELETE FROM orders WHERE id = 1; DROP TABLE log; CREATE TABLE more (a)");
    const { tables } = await db.preview({ tables: ["orders"] });
    expect(tables.map(({ name, rows }) => [name, rows])).toEqual([
      ["orders", { back: 1, gone: 0, updated: 0 }],
    ]);
    runSql(path, "DROP VIEW large");
    const views = await db.preview({ tables: ["LARGE"] });
    expect(views.tables).toMatchObject([{ name: "large", change: "come", rowsThen: null }]);
    await expect(db.preview({ tables: ["more"] })).rejects.toMatchObject({ code: "TABLE_UNKNOWN" });
  });

  const REFUSED: [string, string, string[], RegExp][] = [
    [
      "leaves a foreign key without its row",
      "DELETE FROM orders; DELETE FROM customers WHERE id = 1",
      ["orders"],
      /row 1 of table "orders" would refer to none of table "customers"; restore "customers" too/,
    ],
    [
      "takes the rows that others refer to",
      "INSERT INTO customers VALUES (3, 'c'); INSERT INTO orders (customer, total) VALUES (3, 1)",
      ["customers"],
      /row 3 of table "orders" would refer to none of table "customers"/,
    ],
    [
      "takes a column that a trigger of another needs",
      "ALTER TABLE odd ADD c; CREATE TRIGGER t AFTER DELETE ON customers BEGIN UPDATE odd SET c = 1; END",
      ["odd"],
      /triggers of "customers" would not work any more: no such column: c/,
    ],
    [
      "takes a column that a view needs",
      "ALTER TABLE odd ADD c; CREATE VIEW v AS SELECT c FROM odd",
      ["odd"],
      /view "v" would not work any more: no such column: c/,
    ],
    [
      "has an index whose name another table's has now",
      "DROP INDEX orders_customer; CREATE INDEX orders_customer ON log (line)",
      ["orders"],
      /index orders_customer already exists/,
    ],
    ["is SQLite's own", "", ["sqlite_sequence"], /SQLite's own table/],
    ["is not in the backup", "CREATE TABLE newer (a)", ["newer"], /there is no table "newer"/],
  ];
  for (const [what, sql, tables, message] of REFUSED) {
    test(`is refused when it ${what}, nothing is changed, and no backup stays`, async () => {
      runSql(path, sql);
      const before = readFileSync(path);
      await expect(db.restore({ tables })).rejects.toThrow(message);
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(await Array.fromAsync(db.backups())).toHaveLength(1);
    });
  }

  test("is refused where it is part of a virtual table, which stays whole", async () => {
    const part = await db.backup({ tables: ["words_content"] });
    expect(part.partial).toEqual(["words_content"]);
    for (const tables of [["words_content"], ["words", "WORDS_idx"]]) {
      await expect(db.restore({ tables })).rejects.toMatchObject({
        code: "SOURCE_REFUSED",
        message: expect.stringContaining("part of a virtual table"),
      });
    }
    runSql(path, "DROP TABLE words");
    await expect(db.restore({ tables: ["words_data"] })).rejects.toMatchObject({ code: "SOURCE_REFUSED" });
    await db.restore({ tables: ["words"] });
    expect(ask("SELECT * FROM words WHERE words MATCH 'hello'")).toEqual([["hello world"]]);
  });

  test("takes over what was wrong before", async () => {
    runSql(
      path,
      "PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (9, 99, 1); CREATE VIEW bad AS SELECT * FROM nowhere",
    );
    await db.backup();
    runSql(path, "DELETE FROM orders WHERE id = 1");
    await db.restore({ tables: ["orders"] });
    expect(ask("SELECT count(*) FROM orders")).toEqual([[3n]]);
  });
});

describe("E3 a backup of some tables", () => {
  test("is kept apart, labelled partial, and gives the tables back", async () => {
    const made = await db.backup({ tables: ["words", "orders"] });
    expect(made.partial).toEqual(["orders", "words"]);
    expect(await Array.fromAsync(db.backups())).toHaveLength(1);
    runSql(path, "DELETE FROM orders; DELETE FROM words");
    const { backup } = await db.restore({ tables: ["orders", "words"] });
    expect(backup?.id).toBe(made.id);
    expect(ask("SELECT count(*) FROM orders")).toEqual([[2n]]);
    expect(ask("SELECT * FROM words('world')")).toEqual([["hello world"]]);
  });

  test("restores no database, into a file or over one, and says why", async () => {
    await db.backup({ tables: ["orders"] });
    const partial = pagemark(file(path), { name: "shop.orders", store: db.store });
    const before = readFileSync(path);
    await expect(partial.restore()).rejects.toMatchObject({
      code: "BACKUP_PARTIAL",
      message: expect.stringMatching(/partial backup, of "orders" only/),
    });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect((await partial.restore({ tables: ["orders"] })).tables).toHaveLength(1);
  });

  test("is incremental, and no other tables and no whole database get into its chain", async () => {
    await db.backup({ tables: ["orders"] });
    runSql(path, "INSERT INTO orders (customer, total) VALUES (1, 7)");
    expect(await db.backup({ tables: ["orders"] })).toMatchObject({ kind: "incremental" });
    const clash = pagemark(file(path), { name: "shop.orders", store: db.store });
    await expect(clash.backup({ sameDatabase: true })).rejects.toMatchObject({ code: "OTHER_TABLES" });
  });

  test("downloads as a database file with what belongs to the tables", async () => {
    const body = await db.download(undefined, { tables: ["orders"] });
    path = join(folder, `part-${count}.db`);
    writeFileSync(path, Buffer.from(await new Response(body).arrayBuffer()));
    expect(ask("SELECT type, name FROM sqlite_schema ORDER BY name")).toEqual([
      ["table", "orders"],
      ["index", "orders_customer"],
      ["trigger", "orders_log"],
      ["table", "sqlite_sequence"],
    ]);
    expect(ask("SELECT * FROM sqlite_sequence")).toEqual([["orders", 2n]]);
    expect(ask("PRAGMA integrity_check")).toEqual([["ok"]]);
  });
});

describe("E2 under another name", () => {
  test("a table comes beside the one that is there, with its indexes and without its triggers", async () => {
    runSql(path, "DELETE FROM orders WHERE id = 1");
    const { tables, note } = await db.restore({ tables: ["orders"], as: "orders then" });
    expect(tables).toEqual([{ name: "orders then", rows: 2, replaced: false }]);
    expect(note).toMatch(/triggers are left out.*orders_log/);
    expect(ask('SELECT count(*) FROM orders UNION ALL SELECT count(*) FROM "orders then"')).toEqual([
      [1n],
      [2n],
    ]);
    expect(ask("SELECT name FROM sqlite_schema WHERE tbl_name = 'orders then' AND type = 'index'")).toEqual([
      ["orders then_orders_customer"],
    ]);
    await expect(db.restore({ tables: ["orders", "odd"], as: "x" })).rejects.toMatchObject({ code: "USAGE" });
    await expect(db.restore({ as: "x" })).rejects.toMatchObject({ code: "USAGE" });
  });

  test("where there is no database yet, the tables become one", async () => {
    path = join(folder, `new-${count}.db`);
    const fresh = pagemark(file(path), { name: "shop", store: db.store });
    expect((await fresh.restore({ tables: ["orders"] })).tables).toEqual([
      { name: "orders", rows: 2, replaced: false },
    ]);
    expect(ask("SELECT count(*) FROM orders")).toEqual([[2n]]);
  });
});

describe("E2 while another process writes", () => {
  const WRITER = `
    const { DatabaseSync } = require("node:sqlite");
    const db = new DatabaseSync(process.argv[1], { timeout: 20000 });
    const insert = db.prepare("INSERT INTO log VALUES (?)");
    for (let i = 0; ; i++) {
      insert.run(i);
      if (i === 0) process.send("ready");
      if (i === 300) break;
    }
    db.close();`;

  for (const mode of ["wal", "delete"]) {
    test(`in journal mode ${mode} nothing of what it writes is lost, and the safety backup holds what was there`, async () => {
      runSql(path, `PRAGMA journal_mode = ${mode}; DELETE FROM log; DELETE FROM orders`);
      const child = spawn(process.execPath, ["--no-warnings", "-e", WRITER, path], {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await new Promise((resolve) => child.once("message", resolve));
      const undos: string[] = [];
      for (let i = 0; i < 3; i++)
        undos.push((await db.restore({ at: await first(), tables: ["orders"] })).undo ?? "");
      expect(await ended).toBe(0);
      expect(ask("SELECT count(*), max(line) FROM log WHERE typeof(line) <> 'text'")).toEqual([[301n, 300]]);
      expect(ask("SELECT count(*) FROM orders")).toEqual([[2n]]);
      expect(new Set(undos).size).toBe(3);
    });
  }

  const first = async () => (await Array.fromAsync(db.backups())).at(-1)?.id ?? "";
});
