// Backups under writers are of one moment, or there is none.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { type BackedUpPlace, Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare(100);

const BANK = [
  "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INT)",
  "CREATE INDEX rich ON accounts (balance)",
  "CREATE TABLE filler (id INTEGER PRIMARY KEY, text)",
  "CREATE TABLE transfers (id INTEGER PRIMARY KEY, a, b)",
  "CREATE TABLE written (n INT)",
  "INSERT INTO written VALUES (0)",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO accounts SELECT i, 1000 FROM n",
  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO filler SELECT i, 'some text ' || i FROM n",
];

/** The money is all there, and what was counted beside it fits: it is one moment. */
async function expectOneMoment(place: BackedUpPlace): Promise<void> {
  const path = join(folder, `${crypto.randomUUID()}.sqlite3`);
  writeFileSync(path, await place.download());
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  const row = db.prepare(
    "SELECT (SELECT sum(balance) FROM accounts) AS money, (SELECT count(*) FROM transfers) AS transfers, (SELECT n FROM written) AS written",
  );
  const { money, transfers, written } = row.get() as Record<string, number>;
  expect([money, transfers]).toEqual([50_000, written]);
  const ids = db.prepare("SELECT balance FROM accounts NOT INDEXED ORDER BY balance").all();
  expect(db.prepare("SELECT balance FROM accounts INDEXED BY rich ORDER BY balance").all()).toEqual(ids);
  db.close();
}

/** Backs up while others move money between accounts, every so many milliseconds, and make tables if they are to. */
async function contended(
  place: BackedUpPlace,
  {
    every,
    sliceBytes,
    ddl,
    tracking = false,
  }: { every: number; sliceBytes: number; ddl?: boolean; tracking?: boolean },
) {
  let isOver = false;
  const write = async (number: number) => {
    const [from, to] = [1 + (number % 50), 1 + ((number * 7 + 13) % 50)];
    await place.run([
      `UPDATE accounts SET balance = balance - 1 WHERE id = ${from}`,
      `UPDATE accounts SET balance = balance + 1 WHERE id = ${to}`,
      `INSERT INTO transfers (a, b) VALUES (${from}, ${to})`,
      "UPDATE written SET n = n + 1",
      ...(ddl && number % 3 === 0 ? [`CREATE TABLE IF NOT EXISTS made${number} (a)`] : []),
    ]);
  };
  let writes = 0;
  const writing = (async () => {
    for (; !isOver; writes++) {
      await write(writes);
      await new Promise((done) => setTimeout(done, every));
    }
  })();
  try {
    const { taken } = await place.backupInSlices({ sliceBytes, tracking });
    return { taken, writes };
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return { code: code ?? message, writes };
  } finally {
    isOver = true;
    await writing;
  }
}

test.each([
  ["a write now and then", { every: 300, sliceBytes: 20_000 }],
  ["a writer that comes in between every few slices", { every: 20, sliceBytes: 5_000 }],
  ["a writer without rest, who also makes tables", { every: 0, sliceBytes: 5_000, ddl: true }],
])("A3 C1 %s", async (_, options) => {
  for (const place of cloudflare.both()) {
    await place.run(BANK);
    const { taken, code, writes } = await contended(place, options);
    if (code === undefined) await expectOneMoment(place);
    else expect(code, `${place.name} after ${writes} writes`).toBe("SOURCE_CHANGED");
    expect(taken === undefined).toBe(code !== undefined);
  }
});

test("A3 C1 a Durable Object is backed up under any writer, as the last try leaves no turn to others", async () => {
  const place = cloudflare.durableObject();
  await place.run(BANK);
  const { code, taken } = await contended(place, { every: 0, sliceBytes: 2_000 });
  expect([code, taken]).toEqual([undefined, "end"]);
  await expectOneMoment(place);
});

test.each([
  ["now and then", { every: 100, sliceBytes: 5_000 }],
  ["without rest", { every: 0, sliceBytes: 2_000 }],
  ["without rest, and makes tables", { every: 0, sliceBytes: 5_000, ddl: true }],
])(
  "with tracking, a backup is made under a writer who writes %s; so is one of what changed",
  async (_, options) => {
    for (const place of cloudflare.both()) {
      await place.run(BANK);
      for (const _ of [1, 2]) {
        const { code, taken } = await contended(place, { ...options, tracking: true });
        expect([place.name, code, taken]).toEqual([place.name, undefined, "tracked"]);
        await expectOneMoment(place);
      }
    }
  },
);

const TRANSFER = [
  "UPDATE accounts SET balance = balance - 1 WHERE id = 3",
  "UPDATE accounts SET balance = balance + 1 WHERE id = 44",
  "INSERT INTO transfers (a, b) VALUES (3, 44)",
  "UPDATE written SET n = n + 1",
];

test.each([
  ["moves money", TRANSFER],
  ["makes an index and moves money", [...TRANSFER, "CREATE INDEX made ON transfers (a)"]],
  [
    "empties a table and makes it anew",
    ["DROP TABLE filler", "CREATE TABLE filler (id INTEGER PRIMARY KEY, text)"],
  ],
  ["renames a column that is read", ["ALTER TABLE filler RENAME COLUMN text TO words"]],
  ["drops a table", ["DROP TABLE IF EXISTS filler"]],
])("C1 E4 a writer %s between any two slices", async (_, statements) => {
  for (const after of [1, 4, 20]) {
    for (const place of [
      ...cloudflare.both(),
      ...cloudflare.both().map((place) => ({ ...place, tracking: true })),
    ]) {
      await place.run(BANK);
      const tracking = "tracking" in place;
      const { taken, answers } = await place.backupInSlices({
        sliceBytes: 5_000,
        statements,
        after,
        tracking,
      });
      expect(answers).toBeGreaterThan(after);
      await expectOneMoment(place);
      expect(taken === "tracked").toBe(tracking);
      const before = await place.download();
      // What was taken at the end is what is there.
      if (taken !== "end") continue;
      await place.backup();
      expect(Buffer.compare(await place.download(), before)).toBe(0);
    }
  }
});

test("whoever only reads meanwhile does not disturb, though local D1 counts each call as a change", async () => {
  const place = cloudflare.d1();
  await place.run(BANK);
  const statements = ["SELECT count(*) FROM accounts"];
  const { taken } = await place.backupInSlices({ sliceBytes: 20_000, statements, after: 1, times: 1000 });
  expect(taken).toBe("start");
  await expectOneMoment(place);
});

test("a writer who never leaves is told of, in the end", async () => {
  for (const place of cloudflare.both()) {
    await place.run(BANK);
    const backup = place.backupInSlices({ sliceBytes: 5_000, statements: TRANSFER, after: 3, times: 1e9 });
    await expect(backup).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  }
});
