// What D1's own export gets wrong, put right by `import` where the SQL still tells, and said where it does not.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const HEAD = "PRAGMA defer_foreign_keys=TRUE;\n";

/** Imports an export, which has no line end; gives what the query finds, and what was warned of. */
function imported(sql: string, query: string, status = 0) {
  writeFileSync(join(folder, "d1.sql"), HEAD + sql);
  const ran = cli.run("--json", "import", "d1.sql", "-o", "d1.db", "--force");
  expect([ran.status, ran.stderr.replaceAll(/^warning: .*\n/gm, "")]).toEqual([status, ""]);
  const db = new DatabaseSync(join(folder, "d1.db"));
  try {
    const rows = db
      .prepare(query)
      .all()
      .map((row) => Object.values(row));
    return { rows, warnings: (JSON.parse(ran.stdout) as { warnings: string[] }).warnings };
  } finally {
    db.close();
  }
}

describe("B25 D15 an export of D1", () => {
  test("has children before parents, views after their triggers, and infinite numbers", () => {
    const sql = `CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (id));
INSERT INTO "child" ("id","p") VALUES(1,1);
CREATE TABLE parent (id INTEGER PRIMARY KEY, r REAL);
INSERT INTO "parent" ("id","r") VALUES(1,Infinity);
INSERT INTO "parent" ("id","r") VALUES(2,-Infinity);
CREATE TRIGGER v_insert INSTEAD OF INSERT ON v BEGIN INSERT INTO parent VALUES (new.id, 'Infinity;'); END;
CREATE VIEW v AS SELECT id FROM parent;`;
    const found = imported(
      sql,
      "SELECT r, (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger') FROM parent",
    );
    expect(found).toEqual({
      rows: [
        [Number.POSITIVE_INFINITY, 1],
        [Number.NEGATIVE_INFINITY, 1],
      ],
      warnings: [],
    });
  });

  test("has text with a NUL, and words in texts and names that stay what they are", () => {
    const sql = `CREATE TABLE t (a, "Infinity");
INSERT INTO "t" ("a","Infinity") VALUES('x\0''y','NaN is Infinity 9007199254740993');`;
    expect(imported(sql, `SELECT hex(a), "Infinity" FROM t`)).toEqual({
      rows: [["78002779", "NaN is Infinity 9007199254740993"]],
      warnings: [],
    });
  });

  test("has lost digits, signs and bytes, which is said", () => {
    const sql = `CREATE TABLE t (a);
INSERT INTO "t" ("a") VALUES(9007199254740992);
INSERT INTO "t" ("a") VALUES(-9223372036854776000);
INSERT INTO "t" ("a") VALUES(replace('a\\nb','\\n',char(10)));
INSERT INTO "t" ("a") VALUES('\ufffd');`;
    const { rows, warnings } = imported(sql, "SELECT count(*) FROM t", 3);
    expect(rows).toEqual([[4]]);
    expect(warnings).toEqual([
      expect.stringMatching(/^2 rows have integers of 2\^53 or more/),
      expect.stringMatching(/^1 row has texts with line ends/),
      expect.stringMatching(/^1 row has texts with U\+FFFD/),
    ]);
  });

  test("that is another's SQL is left alone", () => {
    writeFileSync(join(folder, "own.sql"), "CREATE TABLE t (a); INSERT INTO t VALUES (Infinity);");
    const { status, stderr } = cli.run("import", "own.sql", "-o", "own.db");
    expect([status, stderr]).toEqual([1, expect.stringMatching(/no such column: Infinity/)]);
  });
});
