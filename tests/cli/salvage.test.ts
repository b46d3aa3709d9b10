// `dump --salvage`: whatever the bytes are, what is left of the rows comes out, and what does not is said.
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const PAGE = 1024;
let bytes: Buffer;
let root: number;

beforeAll(() => {
  runSql(
    join(folder, "base.db"),
    `PRAGMA page_size = ${PAGE}; CREATE TABLE big (id INTEGER PRIMARY KEY, a, b); CREATE TABLE small (x TEXT, y REAL);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO big SELECT i, 'name' || i, substr('vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv', 1, i % 50) FROM n;
     INSERT INTO small SELECT 'text ' || id, id / 3.0 FROM big WHERE id <= 300`,
  );
  bytes = readFileSync(join(folder, "base.db"));
  const db = new DatabaseSync(join(folder, "base.db"));
  root = Number(
    (db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'big'").get() as { rootpage: number })
      .rootpage,
  );
  db.close();
});

/** The children of an interior page. */
function childrenOf(page: number): number[] {
  const at = (page - 1) * PAGE;
  const cells = Array.from({ length: bytes.readUInt16BE(at + 3) }, (_, index) =>
    bytes.readUInt16BE(at + 12 + 2 * index),
  );
  return [...cells.map((cell) => bytes.readUInt32BE(at + cell)), bytes.readUInt32BE(at + 8)];
}

const pageOf = (file: Buffer, page: number) => file.subarray((page - 1) * PAGE, page * PAGE);

/** Bytes that mean nothing, the same each time. */
const noise = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 167 + 13) % 251);

/** Salvages a file, loads the SQL with the shell, and counts the rows of each table. */
function salvaged(file: Uint8Array, ...args: string[]) {
  writeFileSync(join(folder, "damaged.db"), file);
  rmSync(join(folder, "loaded.db"), { force: true });
  const { status, stdout, stderr } = cli.run("dump", "damaged.db", "--salvage", ...args);
  const loaded = spawnSync("sqlite3", ["-bail", join(folder, "loaded.db")], {
    input: stdout,
    encoding: "utf8",
  });
  expect(loaded.stderr).toBe("");
  const db = new DatabaseSync(join(folder, "loaded.db"));
  const count = (sql: string) => {
    try {
      return Number((db.prepare(`SELECT count(*) AS n FROM ${sql}`).get() as { n: number }).n);
    } catch {
      return 0;
    }
  };
  const rows = {
    big: count("big WHERE a = 'name' || id"),
    small: count("small WHERE x LIKE 'text %'"),
    lost: count("lost_and_found"),
  };
  db.close();
  return { status, stderr, stdout, rows };
}

const ALL = { big: 5000, small: 300, lost: 0 };

test("a sound database comes out whole, without a word", () => {
  expect(salvaged(bytes)).toMatchObject({ status: 0, stderr: "", rows: ALL });
});

describe("a lost page", () => {
  test("above leaves costs no row: they are found by their rowids", () => {
    const file = Buffer.from(bytes);
    const [, interior = 0] = childrenOf(root);
    pageOf(file, interior).fill(0);
    const { status, rows, stderr } = salvaged(file);
    expect([status, rows]).toEqual([3, ALL]);
    expect(stderr).toMatch(/big: \d+ rows were found in \d+ pages that nothing points to/);
  });

  test("that is the root costs no row", () => {
    const file = Buffer.from(bytes);
    pageOf(file, root).fill(0);
    expect(salvaged(file)).toMatchObject({ status: 3, rows: ALL });
  });

  test("with rows in it is named, and so are the rowids", () => {
    const file = Buffer.from(bytes);
    const [interior = 0] = childrenOf(root);
    const leaf = childrenOf(interior)[3] ?? 0;
    pageOf(file, leaf).fill(0xff);
    const { status, rows, stderr } = salvaged(file);
    expect(status).toBe(3);
    expect(rows.big).toBeGreaterThan(4950);
    expect(stderr).toMatch(
      new RegExp(
        `big: page ${leaf} is damaged, and what it held is left out: at least one row, of the rowids \\d+ to \\d+`,
      ),
    );
  });

  test("in another's place goes back to its own table", () => {
    const file = Buffer.from(bytes);
    const db = new DatabaseSync(join(folder, "base.db"));
    const { rootpage } = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'small'").get() as {
      rootpage: number;
    };
    db.close();
    const [one = 0] = childrenOf(childrenOf(root)[0] ?? 0);
    const other = childrenOf(rootpage)[1] ?? 0;
    const kept = Buffer.from(pageOf(file, one));
    pageOf(file, one).set(pageOf(file, other));
    pageOf(file, other).set(kept);
    expect(salvaged(file)).toMatchObject({ status: 3, rows: ALL });
  });
});

describe("page 1", () => {
  test.each([
    ["zeros", (file: Buffer) => pageOf(file, 1).fill(0)],
    ["another page's bytes", (file: Buffer) => pageOf(file, 1).set(pageOf(bytes, 11))],
    ["noise", (file: Buffer) => pageOf(file, 1).set(noise(PAGE))],
  ])("that is %s leaves every row, in lost_and_found", (_name, spoil) => {
    const file = Buffer.from(bytes);
    spoil(file);
    const { status, rows, stderr } = salvaged(file);
    expect(status).toBe(3);
    expect(rows.lost).toBeGreaterThanOrEqual(5300);
    expect(stderr).toContain("page 1 is damaged");
  });

  test.each([
    ["page size that is none", (file: Buffer) => file.writeUInt16BE(3250, 16)],
    ["page size of another database", (file: Buffer) => file.writeUInt16BE(4096, 16)],
    ["smaller page size", (file: Buffer) => file.writeUInt16BE(512, 16)],
    ["reserve that is not there", (file: Buffer) => file.writeUInt8(200, 20)],
    ["page count of 1", (file: Buffer) => file.writeUInt32BE(1, 28)],
    ["page count beyond the end", (file: Buffer) => file.writeUInt32BE(100_000, 28)],
    ["encoding that is none", (file: Buffer) => file.writeUInt32BE(77, 56)],
    ["encoding of another database", (file: Buffer) => file.writeUInt32BE(2, 56)],
    ["magic that is gone", (file: Buffer) => file.fill(0, 0, 16)],
    ["header of noise", (file: Buffer) => file.subarray(0, 100).set(noise(100))],
  ])("with a %s costs no row", (_name, spoil) => {
    const file = Buffer.from(bytes);
    spoil(file);
    expect(salvaged(file).rows).toEqual(ALL);
  });
});

test("a file that was cut off gives what is there", () => {
  const short = salvaged(bytes.subarray(0, bytes.length - 1));
  expect(short.status).toBe(3);
  expect(short.rows.big + short.rows.small).toBeGreaterThanOrEqual(5290);
  expect(short.stderr).toContain("the last 1 bytes of it are missing");
  const half = salvaged(bytes.subarray(0, bytes.length / 2));
  expect(half.rows.big).toBeGreaterThan(2000);
  expect(salvaged(bytes.subarray(0, bytes.length / 2 - 333)).rows.big).toBeGreaterThan(2000);
});

test("a file whose start was cut off has the rows of the pages that are there, long ones too", () => {
  const path = join(folder, "start.db");
  runSql(
    path,
    `PRAGMA page_size = ${PAGE}; CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2700)
     INSERT INTO t SELECT i, 'row ' || i || ' ' || printf('%.*c', iif(i % 9, 9, 2500), 'x'), 'end' FROM n`,
  );
  const file = readFileSync(path);
  const all = salvaged(file.subarray(PAGE));
  expect([all.status, all.rows.lost]).toEqual([3, 2700]);
  expect(all.stderr).toContain("the file begins with page 2: what was before it is missing");
  expect(all.stdout.match(/x','end'/g)).toHaveLength(2700);
  const later = salvaged(file.subarray(12 * PAGE));
  expect(later.stderr).toContain("the file begins with page 13");
  expect(later.stdout.match(/x','end'/g)?.length).toBeGreaterThan(2660);
  // What was overwritten in place is not cut off.
  file.fill(0, 0, PAGE);
  expect(salvaged(file).stderr).not.toContain("begins with page");
});

test("what is no database is refused, unless its page size is given", () => {
  writeFileSync(join(folder, "text.db"), "no database at all\n".repeat(500));
  expect(cli.failure("dump", "text.db", "--salvage", "-o", "text.sql")).toEqual([1, "DATABASE_NOT_SQLITE"]);
  expect(cli.run("dump", "text.db", "--salvage", "--page-size", "1024").status).toBe(3);
  expect(cli.run("dump", "text.db", "--salvage", "--page-size", "1000").status).toBe(2);
  expect(cli.run("dump", "base.db", "--page-size", "1024").status).toBe(2);
  const file = Buffer.from(bytes);
  pageOf(file, 1).fill(0);
  expect(salvaged(file, "--page-size", String(PAGE)).rows.lost).toBe(5300);
});

test("rows that were deleted stay so, unless free pages are asked for", () => {
  const path = join(folder, "deleted.db");
  copyFileSync(join(folder, "base.db"), path);
  runSql(path, "DELETE FROM big WHERE id > 2500");
  const file = readFileSync(path);
  expect(salvaged(file)).toMatchObject({ status: 0, rows: { big: 2500, small: 300, lost: 0 } });
  const all = salvaged(file, "--free-pages");
  expect(all.rows.lost + all.rows.big).toBeGreaterThan(4000);
});

test("a chain that is broken shortens the row that goes on in it, and says so", () => {
  const path = join(folder, "long.db");
  runSql(
    path,
    `PRAGMA page_size = ${PAGE}; CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c); INSERT INTO t VALUES (1, 'first', printf('%.5000c', 'x'), 'last')`,
  );
  const file = readFileSync(path);
  file.fill(0, 4 * PAGE, 5 * PAGE);
  const { status, stderr, stdout } = salvaged(file);
  expect([status, stderr]).toEqual([3, expect.stringContaining("t: 1 rows are cut off")]);
  expect(stdout).toMatch(/\(1,'first','x{1000,4900}',NULL\)/);
});

test("committed pages in a WAL count, also where the main file is damaged", () => {
  const path = join(folder, "wal.db");
  const db = new DatabaseSync(path);
  db.exec(
    `PRAGMA page_size = ${PAGE}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE small (x TEXT, y REAL); PRAGMA wal_checkpoint(TRUNCATE)`,
  );
  db.exec("INSERT INTO small VALUES ('text 1', 1.5), ('text 2', 2.5)");
  const [main, wal] = [readFileSync(path), readFileSync(`${path}-wal`)];
  db.close();
  main.fill(0, 0, 100);
  writeFileSync(join(folder, "damaged.db-wal"), wal);
  try {
    expect(salvaged(main).rows.small).toBe(2);
  } finally {
    rmSync(join(folder, "damaged.db-wal"));
  }
});

test("a backup of a damaged database is salvaged from where it lies, and a file from standard input", () => {
  const file = Buffer.from(bytes);
  const [, interior = 0] = childrenOf(root);
  pageOf(file, interior).fill(0);
  writeFileSync(join(folder, "damaged.db"), file);
  cli.json("backup", "damaged.db", "--to", "backups");
  const stored = cli.run("dump", "damaged", "--from", "backups", "--salvage");
  expect([stored.status, stored.stdout.match(/'name\d+'/g)?.length]).toEqual([3, 5000]);
  const piped = spawnSync("sh", ["-c", `cat damaged.db | ${process.execPath} ${main} dump - --salvage`], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(piped.stdout.match(/'name\d+'/g)?.length).toBe(5000);
});

test("in every dialect, and only of the tables asked for", () => {
  const file = Buffer.from(bytes);
  pageOf(file, childrenOf(root)[1] ?? 0).fill(0);
  for (const dialect of ["d1", "sqlite3-cli"]) expect(salvaged(file, "--dialect", dialect).rows).toEqual(ALL);
  expect(salvaged(file, "--table", "small").rows).toEqual({ big: 0, small: 300, lost: 0 });
  expect(salvaged(file, "--table", "big").rows).toEqual({ big: 5000, small: 0, lost: 0 });
});
