// A header that says that the database ends before its tables do.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const cli = new CommandLine(tempFolder());

/** A database of 50 pages or so whose header says that it has `stated`, with `zeros` behind. */
function make(name: string, stated: (pages: number) => number, zeros = 0): void {
  const path = join(cli.folder, name);
  runSql(
    path,
    "CREATE TABLE t (a); INSERT INTO t SELECT hex(zeroblob(500)) FROM json_each(json_array(1,2,3,4,5,6,7,8,9))",
  );
  runSql(path, "INSERT INTO t SELECT a.a FROM t AS a, t AS b, (SELECT 1 UNION SELECT 2)");
  const bytes = Buffer.concat([readFileSync(path), Buffer.alloc(zeros)]);
  bytes.writeUInt32BE(stated((bytes.length - zeros) / 4096), 28);
  writeFileSync(path, bytes);
}

test("is warned of where a table goes on behind it, and refused where the schema does", () => {
  make("some.db", (pages) => pages - 10);
  const { status, stderr } = cli.run("backup", "some.db", "--to", "store");
  expect([status, stderr]).toEqual([3, expect.stringMatching(/10 pages follow.*lacks what "t".*--salvage/)]);
  make("one.db", () => 1);
  expect(cli.failure("backup", "one.db", "--to", "store")).toEqual([1, "DATABASE_HEADER"]);
});

test("room that was made in advance is none of it", () => {
  make("room.db", (pages) => pages, 65536);
  expect(cli.run("backup", "room.db", "--to", "store")).toMatchObject({ status: 0, stderr: "" });
});
