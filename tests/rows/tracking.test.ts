// Backups of what triggers tell: they read the rows that changed, and are what a backup that reads all would be.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
let files = 0;

async function expectExact(place: BackedUpPlace, what = ""): Promise<void> {
  const path = join(folder, `${files++}.sqlite3`);
  writeFileSync(path, await place.download());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all(), `${place.name} ${what}`).toEqual([
    { integrity_check: "ok" },
  ]);
  db.close();
  const found = await contents(fileAt(path));
  expect(Object.keys(found).filter((name) => name.includes("pagemark_"))).toEqual([]);
  expect(differences(found, await contents(place)), `${place.name} ${what}`).toEqual([]);
}

const SHOP = [
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer, note TEXT, total REAL)",
  "CREATE INDEX by_customer ON orders (customer COLLATE NOCASE DESC, total)",
  "CREATE INDEX large ON orders (note) WHERE total > 500",
  "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT UNIQUE COLLATE NOCASE, name)",
  "CREATE UNIQUE INDEX by_name ON users (name) WHERE name IS NOT NULL",
  "CREATE TABLE stock (place TEXT COLLATE NOCASE, item, amount, PRIMARY KEY (item DESC, place)) WITHOUT ROWID",
  "CREATE INDEX by_amount ON stock (amount)",
  'CREATE TABLE lines ("order" INTEGER REFERENCES orders ON DELETE CASCADE, text)',
  "CREATE TABLE odd (a UNIQUE, b AS (a || 'x'), UNIQUE (b))",
  "CREATE VIRTUAL TABLE words USING fts5(text)",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO orders SELECT i * 2, 'Customer ' || i % 100, 'note ' || i, i / 7.0 FROM n",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) INSERT INTO users (email, name) SELECT 'u' || i || '@example.com', 'name ' || i FROM n",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) INSERT INTO stock SELECT 'place ' || i % 7, i, i * 3 FROM n",
  "INSERT INTO lines SELECT id, 'line of ' || id FROM orders WHERE id < 400",
  "INSERT INTO odd (a) VALUES (1), (2)",
  "INSERT INTO words VALUES ('lovely spam')",
];

const STEPS: [string, string[]][] = [
  ["nothing", []],
  [
    "an update, an insert and a delete",
    [
      "UPDATE orders SET customer = 'CUSTOMER 7', total = 900 WHERE id = 700",
      "INSERT INTO orders VALUES (3, 'new', 'x', 1e300)",
      "DELETE FROM orders WHERE id = 798",
    ],
  ],
  [
    "a key that is another",
    ["UPDATE orders SET id = 7 WHERE id = 500", "UPDATE stock SET item = 9999 WHERE item = 3"],
  ],
  [
    "a row that gives way to another",
    [
      "INSERT OR REPLACE INTO users (email, name) VALUES ('U7@EXAMPLE.COM', 'name 9')",
      "DELETE FROM users WHERE name = 'name 9'",
    ],
  ],
  [
    "rows that give way to an update",
    [
      "UPDATE OR REPLACE users SET email = 'u20@example.com' WHERE id = 30",
      "UPDATE users SET email = 'elsewhere' WHERE id = 30",
    ],
  ],
  [
    "rows that go by CASCADE",
    ["PRAGMA defer_foreign_keys = on", "DELETE FROM orders WHERE id BETWEEN 10 AND 40"],
  ],
  ["a case that is another in a key", ["UPDATE stock SET place = upper(place) WHERE item = 100"]],
  [
    "an upsert",
    ["INSERT INTO users (email) VALUES ('u3@example.com') ON CONFLICT (email) DO UPDATE SET name = 'up'"],
  ],
  [
    "what no trigger can tell",
    ["INSERT INTO words VALUES ('wonderful spam')", "INSERT OR REPLACE INTO odd (a) VALUES (1)"],
  ],
  ["a table that is emptied", ["DELETE FROM stock"]],
  [
    "integers and text that JavaScript has not",
    [
      "UPDATE orders SET customer = 9223372036854775807, note = CAST(x'61ff00' AS TEXT) WHERE id = 100",
      "INSERT INTO stock VALUES (CAST(x'62ff' AS TEXT), 9007199254740993, -0.0)",
    ],
  ],
  [
    "a table that is dropped and made anew",
    [
      "DROP TABLE odd",
      "CREATE TABLE odd (a UNIQUE, b AS (a || 'x'), UNIQUE (b))",
      "INSERT INTO odd (a) VALUES (7)",
    ],
  ],
  ["an index more", ["CREATE INDEX more ON lines (text)"]],
  ["a column more", ["ALTER TABLE users ADD COLUMN more DEFAULT 5"]],
  [
    "a table that is renamed, and another of its name",
    ["ALTER TABLE lines RENAME TO old_lines", "CREATE TABLE lines (a)", "INSERT INTO lines VALUES (1)"],
  ],
  ["a table less", ["DROP TABLE users"]],
];

test("A10 each change alone, in turn", async () => {
  await Promise.all(
    cloudflare.both().map(async (place) => {
      await place.run(SHOP);
      const first = await place.backupTracked();
      expect([first.kind, first.taken]).toEqual(["full", "tracked"]);
      await expectExact(place, "at first");
      for (const [what, statements] of STEPS) {
        if (statements.length > 0) await place.run(statements);
        const made = await place.backupTracked();
        expect(made.taken, what).toBe("tracked");
        await expectExact(place, what);
      }
    }),
  );
}, 120_000);

test("a restore into a tracked database replaces its tables, and untrack leaves nothing of ours", async () => {
  for (const place of cloudflare.both()) {
    await place.run(SHOP);
    const { bookmark } = await place.backupTracked();
    const before = await contents(place);
    await place.run([
      "DELETE FROM orders WHERE id < 100",
      "DROP TABLE odd",
      "UPDATE users SET name = id || '!'",
    ]);
    await place.backupTracked();
    await place.restore(place, { at: bookmark });
    expect(differences(await contents(place), before), place.name).toEqual([]);
    await place.run(["INSERT INTO orders (id, note) VALUES (1, 'after')"]);
    expect((await place.backupTracked()).taken).toBe("tracked");
    await expectExact(place, "after the restore");
    await place.untrack();
    expect(await place.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'pagemark%'")).toEqual([]);
    await place.run(["INSERT INTO orders (id, note) VALUES (3, 'untracked')"]);
    await place.backup();
    await expectExact(place, "untracked");
    await place.run(["DELETE FROM orders WHERE id = 3"]);
    await place.backupTracked();
    await expectExact(place, "tracked again");
  }
}, 120_000);

test("names that take more than a page are tracked", async () => {
  const [table, index] = ["t".repeat(2_000), "i".repeat(1_500)];
  for (const place of cloudflare.both()) {
    await place.run([
      `CREATE TABLE ${table} (id INTEGER PRIMARY KEY, v)`,
      `CREATE INDEX ${index} ON ${table} (v)`,
      "CREATE TABLE other (id INTEGER PRIMARY KEY, v)",
      `INSERT INTO ${table} VALUES (1, 'a'), (2, 'b')`,
      "INSERT INTO other VALUES (1, 'a')",
    ]);
    expect((await place.backupTracked()).taken).toBe("tracked");
    await place.run([`INSERT INTO ${table} VALUES (3, 'c')`]);
    expect(await place.backupTracked()).toMatchObject({ kind: "incremental", taken: "tracked" });
    await expectExact(place, "a row more");
  }
}, 120_000);
