// Backups of D1 and Durable Objects in steps, each of which could be another invocation's.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();

const SHOP = [
  "CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT, data)",
  "CREATE TABLE keys (k TEXT COLLATE NOCASE, v, PRIMARY KEY (k, v)) WITHOUT ROWID",
  "CREATE TABLE empty (a)",
  "CREATE VIRTUAL TABLE words USING fts5(text)",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO orders SELECT i, hex(randomblob(i % 90)), iif(i % 100, i * 1e300, zeroblob(9000)) FROM n",
  "INSERT INTO keys SELECT note, id FROM orders",
  "INSERT INTO words SELECT note FROM orders WHERE id < 50",
  "CREATE INDEX by_note ON orders (note DESC, data) WHERE id % 3",
];
const SLICES = { sliceBytes: 20_000, maxBytes: 200_000, maxMs: 600_000 };

async function expectSame(place: BackedUpPlace): Promise<void> {
  const path = join(folder, `${place.database}.db`);
  writeFileSync(path, await place.download());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  db.close();
  expect(differences(await contents(fileAt(path)), await contents(place)), place.name).toEqual([]);
}

test("a database is backed up in steps, and nothing else is left of them in the store", async () => {
  for (const place of cloudflare.both()) {
    await place.run(SHOP);
    const { steps, left } = await place.backupInSteps(SLICES);
    expect(steps).toBeGreaterThan(5);
    expect(left).toBe(0);
    await expectSame(place);
    expect(await place.backup()).toMatchObject({ kind: "incremental" });
  }
});

test("a step that fails is made again from the same state", async () => {
  const place = cloudflare.d1();
  await place.run(SHOP);
  const { asked } = await place.backupInSteps(SLICES);
  for (const failAt of [2, Math.floor(asked / 3), asked - 1]) {
    await place.backupInSteps({ ...SLICES, failAt });
    await expectSame(place);
  }
});

test("what is written between two steps makes them begin anew; with tracking they go on", async () => {
  const statements = [
    "UPDATE orders SET note = 'other' WHERE id % 500 = 1",
    "DELETE FROM keys WHERE v = 7",
    "CREATE TABLE made (a)",
  ];
  for (const place of cloudflare.both()) {
    await place.run(SHOP);
    const { steps: alone } = await place.backupInSteps(SLICES);
    const { steps } = await place.backupInSteps({ ...SLICES, statements: statements.slice(0, 2), after: 3 });
    expect(steps).toBeGreaterThan(alone);
    await expectSame(place);
    const tracked = await place.backupInSteps({ ...SLICES, tracking: true, statements, after: 3 });
    expect(tracked).toMatchObject({ taken: "tracked", left: 0 });
    await expectSame(place);
    await place.run(["INSERT INTO orders (note) VALUES ('one more')"]);
    expect(await place.backupTracked()).toMatchObject({ taken: "tracked", kind: "incremental" });
    await expectSame(place);
  }
});
