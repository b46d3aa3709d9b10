// A chain knows its database: another one of the same name is refused before anything is stored.
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const root = tempFolder();
const SCHEMA = "CREATE TABLE users (id INTEGER PRIMARY KEY, name); CREATE TABLE kinds (k PRIMARY KEY, v)";
const SEED =
  "INSERT INTO kinds SELECT value, 'kind ' || value FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12]')";
let cli: CommandLine;
let number = 0;

beforeEach(() => {
  cli = new CommandLine(join(root, String(number++)));
  for (const folder of ["a", "b"]) mkdirSync(join(cli.folder, folder), { recursive: true });
  sql("a/app.db", `${SCHEMA}; ${SEED}; INSERT INTO users (name) VALUES ('alice'), ('zoe')`);
});

describe("another database of the same name is refused by name, and nothing is stored of it", () => {
  test("one with other tables in another folder, also with another ending", () => {
    sql("b/app.sqlite3", "CREATE TABLE other (a)");
    cli.json("backup", "a/app.db", "--to", "store");
    expect(refused("b/app.sqlite3")).toMatch(/another database.*--name.*--same-database/);
    expect(cli.run("backup", "b/app.sqlite3", "--to", "store", "--name", "other").status).toBe(0);
  });

  test("a tenant with the same tables, made before the last backup or after it", () => {
    sql("b/app.db", `${SCHEMA}; ${SEED}; INSERT INTO users (name) VALUES ('bob'), ('zed')`);
    cli.json("backup", "a/app.db", "--to", "store");
    refused("b/app.db");
    mkdirSync(join(cli.folder, "c"));
    sql("c/app.db", `${SCHEMA}; ${SEED}; INSERT INTO users (name) VALUES ('carol'), ('zac')`);
    refused("c/app.db");
  });

  test("a copy that lives on beside it", () => {
    copy("a/app.db", "b/app.db");
    cli.json("backup", "a/app.db", "--to", "store");
    refused("b/app.db");
  });

  test("what another host has at the same path: other tables, or the same with other rows", () => {
    sql("b/app.db", `${SCHEMA}; INSERT INTO users (name) VALUES ('bob')`);
    sql("b/other.db", "CREATE TABLE other (a); INSERT INTO other VALUES (1)");
    cli.json("backup", "a/app.db", "--to", "store");
    for (const other of ["b/app.db", "b/other.db"]) {
      move(other, "a/app.db");
      refused("a/app.db");
    }
  });
});

describe("a database stays itself", () => {
  test("moved, vacuumed, with other pages, upgraded, emptied: as long as it is the same file", () => {
    cli.json("backup", "a/app.db", "--to", "store");
    move("a/app.db", "b/app.db");
    sql("b/app.db", "PRAGMA page_size = 1024; VACUUM; ALTER TABLE users RENAME TO people; DROP TABLE kinds");
    taken("b/app.db");
    sql("b/app.db", "DROP TABLE people");
    taken("b/app.db");
    sql("b/app.db", "CREATE TABLE other (a)");
    taken("b/app.db");
  });

  test("copied to another path after its last backup, vacuumed, with rows added", () => {
    cli.json("backup", "a/app.db", "--to", "store");
    copy("a/app.db", "b/app.db");
    sql("b/app.db", "INSERT INTO users (name) VALUES ('bob'); VACUUM");
    taken("b/app.db");
  });

  test("restored in its place and to another, from the newest state and from an older one", () => {
    const [first] = [cli.json<{ id: string }>("backup", "a/app.db", "--to", "store")];
    sql("a/app.db", "DELETE FROM users; INSERT INTO users (name) VALUES ('bob')");
    taken("a/app.db");
    cli.json("restore", "app", "--from", "store", "--at", first.id, "-o", "b/app.db");
    taken("b/app.db");
    cli.json("restore", "app", "--from", "store", "-o", "b/app.db", "--force");
    taken("b/app.db");
  });

  test("copied back, made anew by its application, and from its own dump in another encoding", () => {
    copy("a/app.db", "a/kept");
    cli.json("backup", "a/app.db", "--to", "store");
    sql("a/app.db", "DELETE FROM users");
    taken("a/app.db");
    copy("a/kept", "a/app.db");
    taken("a/app.db");
    rmSync(join(cli.folder, "a/app.db"));
    sql("a/app.db", `PRAGMA encoding = 'UTF-16le'; ${SCHEMA}; INSERT INTO users (name) VALUES ('new')`);
    taken("a/app.db");
  });

  test("where its user says so, once", () => {
    cli.json("backup", "a/app.db", "--to", "store");
    rmSync(join(cli.folder, "a/app.db"));
    sql("a/app.db", "CREATE TABLE other (a); INSERT INTO other VALUES (1)");
    refused("a/app.db");
    cli.json("backup", "a/app.db", "--to", "store", "--same-database");
    taken("a/app.db");
  });
});

test("no path can be read in a record", () => {
  cli.json("backup", "a/app.db", "--to", "store");
  const record = cli.run("show", "app", "--from", "store", "--json").stdout;
  expect(record).not.toContain(root);
});

function taken(path: string): void {
  expect(cli.run("backup", path, "--to", "store", "--name", "app")).toMatchObject({ status: 0, stderr: "" });
}

/** What is said of it. */
function refused(path: string): string {
  const before = filesIn("store");
  const { status, stderr } = cli.run("backup", path, "--to", "store", "--name", "app", "--json");
  const { code, message } = JSON.parse(stderr).error;
  expect([status, code, filesIn("store")]).toEqual([1, "OTHER_DATABASE", before]);
  return message;
}

function filesIn(folder: string): string[] {
  return readdirSync(join(cli.folder, folder), { recursive: true }).map(String).sort();
}

function sql(path: string, text: string): void {
  runSql(join(cli.folder, path), text);
}

function move(from: string, to: string): void {
  renameSync(join(cli.folder, from), join(cli.folder, to));
}

/** A new file, as `cp` makes it. */
function copy(from: string, to: string): void {
  cpSync(join(cli.folder, from), join(cli.folder, to));
}
