// SQL for D1 through the real wrangler, as its users import it: `wrangler d1 execute --local --file`.
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { dumpSource, file } from "pagemark";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./d1/cloudflare.ts";
import { d1Dump } from "./d1/dump.ts";
import { databaseOf, expectContents, imported } from "./d1/golden.ts";
import { type Contents, contents, differences, fileAt } from "./d1/place.ts";
import { Wrangler } from "./d1/wrangler.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();

test("B24 proj.db, a real database: every row of every table, by wrangler and in a Durable Object", async () => {
  const path = join(folder, "proj.db");
  copyFileSync(join(import.meta.dirname, "../../.cache/proj.db"), path);
  const all = await contents(fileAt(path));
  const result = await imported(cloudflare, path);
  expect(result.warnings).toEqual([
    "object_view: it puts together more than the 5 SELECTs that D1 takes; it is left out",
    "authority_list: it puts together more than the 5 SELECTs that D1 takes; it is left out",
    ...["usage", "alias_name", "supersession", "deprecation"].map(
      (name) => `${name}_insert_trigger: it needs object_view, which is left out; so it is, too`,
    ),
    "conversion_method_check_insert_trigger: its SQL is longer than the 100000 bytes that D1 takes; it is left out",
  ]);
  const left =
    / (object_view|authority_list|conversion_method_check_insert_trigger|(usage|alias_name|supersession|deprecation)_insert_trigger)( |$)/;
  const expected = without(all, left);
  expect(Object.keys(all).length - Object.keys(expected).length).toBe(9);
  expect(Object.values(expected).flat().length).toBeGreaterThan(50_000);
  await expectContents(result, expected);

  const wrangler = new Wrangler(join(folder, "proj"));
  expect(wrangler.execute((await d1Dump(path)).sql)).toBeUndefined();
  const file = fileAt(wrangler.database);
  expect(await file.rows("PRAGMA integrity_check")).toEqual([["ok"]]);
  expect(differences(await contents(file), expected)).toEqual([]);

  // D1's own export of the very same database puts the triggers of its views before the views. Without the rows: it
  // takes D1 minutes to come to that, a statement a row.
  expect(wrangler.export("theirs.sql", "--no-data")).toBeUndefined();
  const again = new Wrangler(join(folder, "again"));
  expect(again.executeFile(join(wrangler.folder, "theirs.sql"))).toMatch("no such table: main.");
});

test("D15 text that wrangler takes for a transaction of the file's own", async () => {
  const values = [
    "BEGIN TRANSACTION;",
    "é BEGIN TRANSACTION; é",
    "COMMIT;",
    "-- ; BEGIN",
    "a;\n  -- b\r\nEND;",
  ];
  const quoted = values.map((text) => `('${text}')`);
  const path = databaseOf(folder, `CREATE TABLE t (a); INSERT INTO t VALUES ${quoted}; CREATE TABLE u (a)`);
  const wrangler = new Wrangler(join(folder, "begin"));
  expect(wrangler.execute((await d1Dump(path)).sql)).toBeUndefined();
  expect(await contents(fileAt(wrangler.database))).toEqual(await contents(fileAt(path)));
});

test("B24 a database of which D1's own export is more than a string can hold", async () => {
  // In JSON, which it goes through as one string, each of these characters takes six.
  const sql = [
    "CREATE TABLE t (a TEXT)",
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 48)
       INSERT INTO t SELECT replace(hex(zeroblob(950000)), '0', char(1)) FROM n`,
  ];
  const path = databaseOf(folder, sql.join(";"));
  const chunks: Uint8Array[] = [];
  for await (const chunk of await dumpSource(file(path), { dialect: "d1" })) chunks.push(chunk);
  expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThan(1 << 20);
  execFileSync("sqlite3", [`${path}.loaded`], { input: Buffer.concat(chunks) });
  const sums =
    "SELECT count(*), sum(length(a)), count(DISTINCT a), min(a = replace(hex(zeroblob(950000)), '0', char(1))) FROM t";
  expect(await fileAt(`${path}.loaded`).rows(sums)).toEqual([[48, 48 * 1_900_000, 1, 1]]);

  const d1 = cloudflare.d1();
  await d1.run(sql);
  await expect(d1.export()).rejects.toThrow("RangeError: Invalid string length");
});

function without(contents: Contents, names: RegExp): Contents {
  return Object.fromEntries(Object.entries(contents).filter(([name]) => !names.test(name)));
}
