// How often D1 is called for databases of many tables, and that nothing of them is lost: a Worker may make 1,000 calls, or
// 10,000.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare, type Fault } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
/** Calls are counted, and none goes wrong. */
const COUNTED: Fault = { at: 0, how: "fails" };

const MIXED = [
  "NULL",
  "9007199254740993",
  "1.0",
  "-0.0",
  "x'00ff'",
  "CAST(x'61ff' AS TEXT)",
  "'a' || char(0)",
];

/** Tables with an index each, whose rows have values of one kind. */
function tables(count: number, rows: (table: number) => number): string[] {
  return Array.from({ length: count }, (_, at) => [
    `CREATE TABLE t${at} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, v)`,
    `CREATE INDEX i${at} ON t${at} (name, v)`,
    ...(rows(at) === 0
      ? []
      : [
          `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows(at)})
          INSERT INTO t${at} SELECT i, 'name ' || i, ${MIXED[at % MIXED.length]} FROM n`,
        ]),
  ]).flat();
}

async function make(place: BackedUpPlace, statements: string[]): Promise<void> {
  for (let at = 0; at < statements.length; at += 500) await place.run(statements.slice(at, at + 500));
}

async function expectSame(image: Uint8Array, place: BackedUpPlace): Promise<void> {
  const path = join(folder, `${place.database}.sqlite3`);
  writeFileSync(path, image);
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all(), place.name).toEqual([{ integrity_check: "ok" }]);
  db.close();
  expect(differences(await contents(fileAt(path)), await contents(place)), place.name).toEqual([]);
}

test.each([
  { count: 10, rows: () => 0, calls: { backup: 3, restore: 7, tracked: 8 } },
  { count: 100, rows: (at: number) => at % 20, calls: { backup: 4, restore: 8, tracked: 10 } },
  { count: 1100, rows: (at: number) => at % 3, calls: { backup: 26, restore: 32, tracked: 47 } },
])("$count tables: $calls", async ({ count, rows, calls }) => {
  const [from, to] = [cloudflare.d1(), cloudflare.d1()];
  await make(from, tables(count, rows));
  expect((await from.backupFaulty(COUNTED)).calls).toBe(calls.backup);
  const restored = await to.restoreFaulty(from, { fault: COUNTED });
  expect(restored.calls).toBe(calls.restore);
  const filled = Array.from({ length: count }, (_, at) => rows(at)).filter((each) => each > 0);
  expect(restored.verified).toHaveLength(filled.length);
  expect((await from.backupFaulty({ ...COUNTED, tracking: true })).calls).toBe(calls.tracked);
});

/** Small tables of all kinds, before and behind one that is read by itself, and one with more indexes than are read at once. */
const AMONG = [
  ...tables(20, (at) => at),
  "CREATE TABLE large (a PRIMARY KEY, b TEXT) WITHOUT ROWID",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) INSERT INTO large SELECT -i, 'a long text ' || i FROM n",
  "CREATE TABLE indexed (a, b)",
  ...Array.from({ length: 20 }, (_, at) => `CREATE INDEX indexed${at} ON indexed (a + ${at}, b) WHERE b > 1`),
  "INSERT INTO indexed VALUES (1, 2), (x'00', 1), (NULL, 3), ('x', 9e999)",
  `CREATE TABLE wide (${Array.from({ length: 100 }, (_, at) => `c${at}`)})`,
  `INSERT INTO wide VALUES (${Array.from({ length: 100 }, (_, at) => MIXED[at % MIXED.length])})`,
  "CREATE TABLE long (a)",
  "INSERT INTO long VALUES (zeroblob(300000)), (1)",
  "CREATE VIRTUAL TABLE words USING fts5(text)",
  "INSERT INTO words VALUES ('lovely spam')",
  ...tables(30, (at) => 7 - (at % 7)).map((sql) => sql.replaceAll(/\b([ti])(\d+)\b/g, "$1x$2")),
];

test("small tables are read together, others between them by themselves", async () => {
  for (const place of cloudflare.both()) {
    await make(place, AMONG);
    const image = await place.pages({ sliceBytes: 80_000 });
    await expectSame(image, place);
    // Also where that is another invocation's after each of them.
    const { taken, steps } = await place.backupInSteps({ sliceBytes: 80_000, maxBytes: 1 });
    expect(taken).toBe("start");
    expect(steps).toBeGreaterThan(8);
    expect(Buffer.compare(await place.download(), image)).toBe(0);
  }
});

test("rows that are written between two calls for many tables are in the backup, or none of it is", async () => {
  for (const place of cloudflare.both()) {
    await make(
      place,
      tables(50, (at) => at % 9),
    );
    const options = { sliceBytes: 80_000, statements: ["INSERT INTO t5 (name) VALUES ('late')"] };
    for (const [after, tracking] of [
      [4, false],
      [8, true],
    ] as const) {
      const { taken } = await place.backupInSlices({ ...options, after, tracking });
      expect(taken).toBe(tracking ? "tracked" : "end");
      await expectSame(await place.download(), place);
    }
  }
});
