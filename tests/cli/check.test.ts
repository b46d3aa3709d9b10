// What a check says of each table and index: sound, damaged, or not checked and why.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);

interface Checked {
  ok: boolean;
  integrity: string[];
  foreign_keys: { table: string }[];
  unchecked: string[];
  objects: { type: string; name: string; state: string; details: string[] }[];
}

/** A database that SQLite made, whose schema was written to afterwards. */
function make(name: string, sql: string, schema: Record<string, string> = {}): string {
  const path = join(folder, name);
  const db = new DatabaseSync(path);
  db.function("known", { deterministic: true }, (value) => Number(value) * 7);
  db.exec(sql);
  db.close();
  const other = new DatabaseSync(path);
  other.exec("PRAGMA writable_schema = ON");
  for (const [object, text] of Object.entries(schema))
    other.prepare("UPDATE sqlite_schema SET sql = ? WHERE name = ?").run(text, object);
  other.close();
  return name;
}

function check(name: string): { status: number | null; checked: Checked; states: Record<string, string> } {
  const { status, stdout } = cli.run("--json", "check", name);
  const checked: Checked = JSON.parse(stdout);
  return {
    status,
    checked,
    states: Object.fromEntries(checked.objects.map(({ name, state }) => [name, state])),
  };
}

const OTHERS = "CREATE TABLE other (a UNIQUE); INSERT INTO other VALUES (1), (2);";
const SOUND = { other: "sound", sqlite_autoindex_other_1: "sound" };

test("what needs a collation, a function, a tokenizer or a module that is not here is not checked, all else is", () => {
  const collation = make(
    "collation.db",
    `${OTHERS} CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE); INSERT INTO t (name) VALUES ('b'), ('a');
     CREATE TABLE u (x, y); INSERT INTO u VALUES (1, 2); CREATE INDEX ux ON u (x); CREATE INDEX uy ON u (y)`,
    {
      t: "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE LOCALIZED UNIQUE)",
      ux: "CREATE INDEX ux ON u (x COLLATE LOCALIZED)",
    },
  );
  expect(check(collation)).toMatchObject({
    status: 3,
    states: {
      ...SOUND,
      t: "unchecked",
      sqlite_autoindex_t_1: "unchecked",
      u: "sound",
      ux: "unchecked",
      uy: "sound",
    },
    checked: { ok: true, integrity: [] },
  });
  expect(check(collation).checked.unchecked).toContain(
    "ux: needs the collation LOCALIZED, which is not here",
  );

  const called = make(
    "function.db",
    `${OTHERS} CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE INDEX i ON t (known(a)); CREATE INDEX p ON t (a) WHERE known(a) > 3;
     CREATE TABLE c (a CHECK (known(a) > 0)); INSERT INTO c VALUES (1); CREATE INDEX ca ON c (a)`,
  );
  expect(check(called)).toMatchObject({
    status: 3,
    states: { ...SOUND, t: "sound", i: "unchecked", p: "unchecked", c: "unchecked", ca: "sound" },
  });

  const words = "CREATE VIRTUAL TABLE f USING fts5(a)";
  const tokenizer = make("tokenizer.db", `${OTHERS} ${words}; INSERT INTO f VALUES ('hello')`, {
    f: "CREATE VIRTUAL TABLE f USING fts5(a, tokenize='snowball english')",
  });
  expect(check(tokenizer)).toMatchObject({
    status: 3,
    states: { ...SOUND, f: "unchecked", f_data: "sound" },
  });

  const module = make("module.db", `${OTHERS} ${words}`, { f: "CREATE VIRTUAL TABLE f USING fts4(a)" });
  expect(check(module).checked.unchecked).toEqual(["f: needs the module fts4, which is not here"]);
  expect(cli.run("check", module).stdout).toContain("not checked: f: needs the module fts4");
});

test("damage is said of the table that has it, and does not hide what is wrong with the others", () => {
  const path = join(folder, "damaged.db");
  runSql(
    path,
    `PRAGMA page_size = 1024; CREATE TABLE a (x); CREATE INDEX ax ON a (x); CREATE TABLE b (x); CREATE INDEX bx ON b (x); CREATE TABLE c (x);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO a SELECT hex(i) FROM n;
     INSERT INTO b SELECT x FROM a; INSERT INTO c SELECT x FROM a`,
  );
  const db = new DatabaseSync(path);
  const roots = db.prepare("SELECT name, rootpage FROM sqlite_schema").all() as {
    name: string;
    rootpage: number;
  }[];
  db.close();
  const root = (name: string) => roots.find((object) => object.name === name)?.rootpage ?? 0;
  const bytes = readFileSync(path);
  bytes.fill(0, (root("ax") - 1) * 1024, root("ax") * 1024);
  bytes.fill(0, (root("c") - 1) * 1024, root("c") * 1024);
  writeFileSync(path, bytes);
  const { status, states } = check("damaged.db");
  expect(status).toBe(1);
  expect(states).toEqual({ a: "sound", ax: "damaged", b: "sound", bx: "sound", c: "damaged" });
});

test("a full-text index is compared with its content table, of whatever name", () => {
  const sql = `CREATE TABLE d (id INTEGER PRIMARY KEY, b); CREATE VIRTUAL TABLE f USING fts5(b, content = 'd', content_rowid = 'id');
     CREATE VIRTUAL TABLE none USING fts5(b, content = ''); INSERT INTO none (rowid, b) VALUES (1, 'gamma');
     INSERT INTO d VALUES (1, 'alpha'), (2, 'beta'); INSERT INTO f (rowid, b) SELECT id, b FROM d;`;
  make("step.db", sql);
  expect(check("step.db")).toMatchObject({ status: 0, states: { f: "sound", none: "sound" } });
  make("out.db", `${sql} DELETE FROM d WHERE id = 1`);
  expect(check("out.db")).toMatchObject({ status: 1, states: { f: "damaged", d: "sound", none: "sound" } });
});

test("foreign keys are looked at table by table: one that cannot be does not end it", () => {
  make(
    "keys.db",
    `PRAGMA foreign_keys = OFF; CREATE TABLE p (a); CREATE TABLE c1 (x REFERENCES p (a)); INSERT INTO c1 VALUES (1);
     CREATE TABLE pp (id INTEGER PRIMARY KEY); CREATE TABLE c2 (x REFERENCES pp (id)); INSERT INTO c2 VALUES (5)`,
  );
  const { status, checked } = check("keys.db");
  expect([status, checked.foreign_keys.map(({ table }) => table)]).toEqual([1, ["c2"]]);
  expect(checked.unchecked).toEqual([
    expect.stringContaining("foreign keys of c1: SQLite says: foreign key mismatch"),
  ]);
});

test("verify --restore says what was not checked, and compact copies the pages of what it cannot rebuild", () => {
  make("app.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE INDEX i ON t (known(a))");
  cli.json("backup", "app.db", "--to", "backups");
  const { status, stdout } = cli.run("verify", "app", "--from", "backups", "--restore");
  expect([status, stdout]).toEqual([3, expect.stringContaining("not checked: i: needs the function known")]);
  expect(cli.json("compact", "app.db", "-o", "copy.db")).toMatchObject({ is_copy: true });
  expect(readFileSync(join(folder, "copy.db")).equals(readFileSync(join(folder, "app.db")))).toBe(true);
});
