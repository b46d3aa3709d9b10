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

describe("A2 backups that lie under another database's name are refused by name, wherever they are read", () => {
  beforeEach(() => {
    sql("b/other.db", "CREATE TABLE other (a); INSERT INTO other VALUES (1)");
    for (let round = 0; round < 2; round++) {
      cli.json("backup", "a/app.db", "--to", "store", ...(round === 1 ? ["--full"] : []));
      cli.json("backup", "b/other.db", "--to", "store", ...(round === 1 ? ["--full"] : []));
      sql("a/app.db", "INSERT INTO users (name) VALUES ('bob')");
      sql("b/other.db", "INSERT INTO other VALUES (2)");
    }
  });

  test("folders that were swapped, until they are swapped back", () => {
    const swap = () => {
      move("store/app", "store/kept");
      move("store/other", "store/app");
      move("store/kept", "store/other");
    };
    swap();
    const commands = [
      ["restore", "app", "--from", "store", "-o", "back.db"],
      ["restore", "app", "--from", "store", "-o", "back.db", "--dry-run"],
      ["verify", "app", "--from", "store"],
      ["list", "app", "--from", "store"],
      ["show", "app", "--from", "store"],
      ["download", "app", "--from", "store", "-o", "back.db"],
      ["prune", "app", "--from", "store", "--keep-last", "1"],
      ["copy", "app", "--from", "store", "--to", "second"],
      ["backup", "a/app.db", "--to", "store"],
    ];
    for (const command of commands) {
      const { status, stderr } = cli.run(...command, "--json");
      const { code, message } = JSON.parse(stderr).error;
      expect([command[0], status, code]).toEqual([command[0], 1, "OTHER_NAME"]);
      expect(message).toMatch(/app: .* of "other".*swapped/);
    }
    const all = cli.run("list", "--from", "store");
    expect(all).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('app: its backups are of "other"'),
    });
    swap();
    cli.json("restore", "app", "--from", "store", "-o", "back.db");
    expect(cli.run("list", "--from", "store")).toMatchObject({ status: 0, stderr: "" });
  });

  test("a folder that its user renamed goes on under the new name once that is said", () => {
    move("store/app", "store/shop");
    const backup = ["backup", "a/app.db", "--to", "store", "--name", "shop"];
    expect(cli.run(...backup).stderr).toMatch(/OTHER_NAME/);
    cli.json(...backup, "--same-database");
    cli.json(...backup);
    cli.json("restore", "shop", "--from", "store", "--at", idsOf("shop").at(-1) as string, "-o", "back.db");
    expect(cli.run("verify", "shop", "--from", "store")).toMatchObject({ status: 0, stderr: "" });
  });

  test("one backup of another database in the chain, also the newest, is damage; the others are restored", () => {
    for (const name of ["0000000000000002", "0000000000000001"]) {
      cpSync(join(cli.folder, "store"), join(cli.folder, name), { recursive: true });
      const own = [name, "app"].join("/");
      const other = [name, "other"].join("/");
      for (const file of filesIn(other)) {
        if (file.includes(`-${name}.`) || file.endsWith(`${name}.json`))
          copy(`${other}/${file}`, `${own}/${file}`);
      }
      expect(cli.run("verify", "app", "--from", name).status).toBe(1);
      const told = cli.run("list", "app", "--from", name);
      expect(told).toMatchObject({ status: 3, stdout: expect.stringContaining("CHAIN_LINEAGE") });
      const isNewest = name.endsWith("2");
      const at = isNewest ? ["--at", "0000000000000001"] : [];
      cli.json("restore", "app", "--from", name, "-o", `${name}.db`, ...at);
      const wrong = cli.run(
        "restore",
        "app",
        "--from",
        name,
        "-o",
        "wrong.db",
        "--at",
        isNewest ? "latest" : name,
      );
      expect(wrong.status).toBe(1);
    }
  });
});

function idsOf(name: string): string[] {
  return cli.json<{ id: string }[]>("list", name, "--from", "store").map(({ id }) => id);
}

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
