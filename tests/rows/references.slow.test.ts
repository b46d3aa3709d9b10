// Rows that refer to each other in every way, in more SQL than D1 takes in one transaction: what refers to a row that
// comes later goes in all the same, and nothing that hangs on it is set off.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
let files = 0;

/** A database file of this SQL, in which `n` is a table of the numbers up to 600, and how it is asked for what it holds. */
function made(sql: string, isSound = true) {
  const path = join(folder, `${files++}.db`);
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  const numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)";
  db.exec(
    sql
      .replaceAll("FROM n", "FROM temp.n")
      .replace(/^/, `CREATE TEMP TABLE n AS ${numbers} SELECT i FROM n;`),
  );
  if (isSound) expect(db.prepare("PRAGMA foreign_key_check").all()).toEqual([]);
  db.close();
  return { file: readFileSync(path), place: fileAt(path) };
}

/** Makes that the rows do not go in with one transaction. */
const FILL = "hex(zeroblob(2000))";

const KINDS: Record<string, string> = {
  "to rows behind them": `CREATE TABLE t (id INTEGER PRIMARY KEY, next REFERENCES t ON DELETE CASCADE, x);
    INSERT INTO t SELECT i, nullif(i + 1, 601), ${FILL} FROM n`,
  "to themselves, where NULL is refused": `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, next INTEGER NOT NULL UNIQUE REFERENCES t(id) ON DELETE RESTRICT, x TEXT) STRICT;
    INSERT INTO t SELECT i, 601 - i, ${FILL} FROM n`,
  "by two columns": `CREATE TABLE "t t" (a TEXT COLLATE NOCASE, b REAL, p INT, q, x, PRIMARY KEY (a, b), FOREIGN KEY (p, q) REFERENCES "t t" ON DELETE SET NULL, FOREIGN KEY (a, q) REFERENCES "t t" (a, b)) WITHOUT ROWID;
    INSERT INTO "t t" SELECT 'k', i, CASE WHEN i % 3 THEN 'K' END, 601 - i, ${FILL} FROM n`,
  "to UNIQUE columns": `CREATE TABLE t (code TEXT, up TEXT REFERENCES T ("CODE") ON UPDATE CASCADE ON DELETE SET DEFAULT, g AS (up || '!'), x);
    CREATE UNIQUE INDEX codes ON t (code);
    INSERT INTO t SELECT 'c' || i, 'c' || (601 - i), ${FILL} FROM n`,
  "in a circle of tables": `CREATE TABLE a (id INTEGER PRIMARY KEY, b NOT NULL REFERENCES b ON DELETE CASCADE, x, CHECK (b > 0));
    CREATE TABLE b (id INTEGER PRIMARY KEY, c REFERENCES c ON DELETE CASCADE, self INTEGER NOT NULL REFERENCES b, CHECK (c NOT NULL));
    CREATE TABLE c (id INTEGER PRIMARY KEY REFERENCES a ON DELETE CASCADE, y);
    CREATE TABLE last (a REFERENCES a, c REFERENCES c);
    CREATE TABLE log (what);
    INSERT INTO a SELECT i, 601 - i, ${FILL} FROM n;
    INSERT INTO b SELECT i, 601 - i, 601 - i FROM n;
    INSERT INTO c SELECT i, ${FILL} FROM n;
    INSERT INTO last SELECT i, i FROM n;
    CREATE TRIGGER noted AFTER UPDATE ON b BEGIN INSERT INTO log VALUES (new.id); END;
    CREATE TRIGGER added AFTER INSERT ON a BEGIN DELETE FROM b WHERE id = new.b; END`,
  "in a circle that NULL cannot open": `CREATE TABLE a (id INTEGER PRIMARY KEY, b NOT NULL REFERENCES b DEFERRABLE INITIALLY DEFERRED, x);
    CREATE TABLE b (id INTEGER PRIMARY KEY, a NOT NULL REFERENCES a, x);
    INSERT INTO a SELECT i, 601 - i, ${FILL} FROM n;
    INSERT INTO b SELECT i, 601 - i, ${FILL} FROM n`,
  "with values too long for a statement": `CREATE TABLE t (key TEXT PRIMARY KEY, next TEXT REFERENCES t, x);
    INSERT INTO t SELECT hex(zeroblob(60000)) || i, hex(zeroblob(60000)) || nullif(i + 1, 13), zeroblob(120000) FROM n WHERE i < 13`,
};

/** Every kind into both; otherwise each into one of them. */
const IS_THOROUGH = process.env.PAGEMARK_THOROUGH === "1";

test.each(Object.entries(KINDS))("B24 E4 rows refer to others %s", async (kind, sql) => {
  const { file, place } = made(sql);
  const expected = await contents(place);
  const isFirst = Object.keys(KINDS).indexOf(kind) % 2 === 0;
  const targets = cloudflare.both().filter((_, at) => IS_THOROUGH || (at === 0) === isFirst);
  for (const target of targets) {
    const { verified, warnings } = await target.import(file);
    expect(warnings, target.name).toEqual([]);
    expect(verified?.filter(({ name }) => /^(later|pieces)/.test(name))).toEqual([]);
    expect(differences(await contents(target), expected), target.name).toEqual([]);
    expect(await target.rows("PRAGMA foreign_key_check"), target.name).toEqual([]);
  }
});

test.each(["a little", "much"])(
  "rows that refer to nothing go in as they are, with a warning: %s",
  async (how) => {
    const { file, place } = made(
      `CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
     CREATE TABLE c (p NOT NULL REFERENCES p ON DELETE CASCADE, x); INSERT INTO c SELECT i, ${how === "much" ? FILL : 1} FROM n`,
      false,
    );
    for (const target of cloudflare.both()) {
      const { warnings } = await target.import(file);
      expect(warnings).toEqual(['table "c": 599 rows refer to rows that are not there']);
      expect(differences(await contents(target), await contents(place)), target.name).toEqual([]);
      await expect(target.run(["INSERT INTO c VALUES (7, 7)"])).rejects.toThrow("FOREIGN KEY");
    }
  },
);

test.each(["a little", "much"])(
  "rows go in whose parent table is gone, or is not restored: %s",
  async (how) => {
    const { file, place } = made(
      `CREATE TABLE c (p REFERENCES gone, q TEXT REFERENCES "g o""ne" (code), x); INSERT INTO c SELECT NULL, 'q' || i, ${how === "much" ? FILL : 1} FROM n;
     CREATE TABLE d (a INT, b, r, s, FOREIGN KEY (a, b) REFERENCES Two /* ( */, FOREIGN KEY ([s], r) REFERENCES [g o"ne] (B, "a") ON DELETE CASCADE);
     INSERT INTO d VALUES (1, NULL, 2, 3);
     CREATE TABLE last (id INTEGER PRIMARY KEY, d REFERENCES e); CREATE TABLE e (id INTEGER PRIMARY KEY); INSERT INTO e VALUES (5); INSERT INTO last VALUES (1, 5);
     CREATE VIEW v AS SELECT * FROM c; CREATE TRIGGER t AFTER INSERT ON e BEGIN DELETE FROM c; END`,
      false,
    );
    const expected = await contents(place);
    for (const target of cloudflare.both()) {
      const { warnings } = await target.import(file);
      expect(warnings).toContain('table "c": 600 rows refer to rows that are not there');
      expect(differences(await contents(target), expected), target.name).toEqual([]);
      if (how === "much") continue;
      await target.backup();
      const other = cloudflare.d1();
      await other.restore(target, { tables: ["last"] });
      expect(await other.rows("SELECT * FROM last")).toEqual([[1, 5]]);
      const names = await other.rows("SELECT name FROM sqlite_schema WHERE name NOT LIKE '#_%' ESCAPE '#'");
      expect(names).toEqual([["last"]]);
    }
  },
);

test("rows go in whose parent table is gone, behind more SQL of tables than goes into one transaction", async () => {
  const words = "x".repeat(90_000);
  const many = Array.from({ length: 25 }, (_, at) => `CREATE TABLE t${at} (a /* ${words} */)`).join(";");
  const rows = `INSERT INTO c SELECT NULL, ${FILL} FROM n`;
  const { file, place } = made(`${many}; CREATE TABLE c (p REFERENCES gone, x); ${rows}`, false);
  for (const target of cloudflare.both()) {
    await target.import(file);
    expect(differences(await contents(target), await contents(place)), target.name).toEqual([]);
  }
});
