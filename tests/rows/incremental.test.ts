// What a second backup of rows stores: the pages that changed, wherever the rows are.
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

async function expectExact(place: BackedUpPlace): Promise<void> {
  const path = join(folder, `${files++}.sqlite3`);
  writeFileSync(path, await place.download());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all(), place.name).toEqual([{ integrity_check: "ok" }]);
  db.close();
  expect(differences(await contents(fileAt(path)), await contents(place)), place.name).toEqual([]);
}

const rows = (from: number, to: number) =>
  `WITH RECURSIVE n (i) AS (SELECT ${from} UNION ALL SELECT i + 10 FROM n WHERE i < ${to}) INSERT INTO t SELECT i, 'row ' || i, hex(randomblob(100)) FROM n`;

test.each([
  ["nothing", []],
  ["a row at the end", ["INSERT INTO t VALUES (99999, 'x', 'y')"]],
  [
    "rows in the middle",
    ["INSERT INTO t VALUES (10005, 'x', hex(randomblob(100))), (10006, 'y', 'z'), (123, 'w', '')"],
  ],
  [
    "rows here and there",
    ["DELETE FROM t WHERE id % 2000 = 0", "UPDATE t SET c = hex(randomblob(150)) WHERE id % 3500 = 10"],
  ],
  ["an index more", ["CREATE INDEX more ON t (id % 7)"]],
  ["a table less", ["DROP TABLE other"]],
])("B3 %s", async (what, statements) => {
  for (const place of cloudflare.both()) {
    await place.run([
      "CREATE TABLE t (id INTEGER PRIMARY KEY, b, c)",
      "CREATE INDEX i ON t (b)",
      "CREATE TABLE other (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID",
      rows(10, 20_000),
      "INSERT INTO other VALUES (1, 2), (3, 4)",
    ]);
    const first = await place.backup();
    if (statements.length > 0) await place.run(statements);
    const second = await place.backup();
    expect(second.kind).toBe("incremental");
    // An index is pages of its own.
    const most = what === "an index more" ? 40 : 30;
    expect(second.changedPages, `${place.name} of ${first.pageCount}`).toBeLessThan(most);
    await expectExact(place);
    expect((await place.backup()).changedPages).toBe(0);
  }
});

test("all rows at once", async () => {
  for (const place of cloudflare.both()) {
    await place.run(["CREATE TABLE t (id INTEGER PRIMARY KEY, b, c)", rows(10, 10_000)]);
    await place.backup();
    await place.run(["DELETE FROM t WHERE id > 200", rows(205, 6_000)]);
    await place.backup();
    await expectExact(place);
  }
});
