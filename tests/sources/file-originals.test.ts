// A moment of a database in rollback mode while transactions go through: what they replace is read from their journals.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { file, type Moment } from "pagemark";
import { afterEach, describe, expect, test, vi } from "vitest";
import { allPages } from "../contracts/source-cases/image.ts";
import { random } from "../faults/random.ts";
import { tempFolder } from "../support/temp.ts";
import { createBank, markerOf } from "./bank.ts";
import { killAll, startWriter, type Writer } from "./processes.ts";

const folder = tempFolder();
const path = join(folder, "app.db");
let writer: Writer;

afterEach(async () => {
  vi.unstubAllEnvs();
  await killAll();
});

/** A database, and another process that has it open. */
async function create({ pageSize = 1024, journal = "DELETE", synchronous = "NORMAL", autoVacuum = 0 } = {}) {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  writer = await startWriter(path, "sql");
  await writer.run(`
    PRAGMA page_size = ${pageSize}; PRAGMA auto_vacuum = ${autoVacuum}; PRAGMA journal_mode = ${journal};
    PRAGMA synchronous = ${synchronous};
    CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB); CREATE INDEX i ON t (a);
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT i, randomblob(i) FROM n`);
}

/** Runs a transaction beside a moment, and waits until that has the lock again. */
async function transact(moment: Moment, sql: string): Promise<void> {
  await writer.run(sql);
  await moment.read(1, new Uint8Array(moment.pageSize));
}

/** Every row of every table, in a database that must be whole. */
function rowsOf(image: Uint8Array): unknown {
  const copy = join(folder, "copy.db");
  writeFileSync(copy, image);
  const opened = new DatabaseSync(copy, { readOnly: true });
  try {
    expect(opened.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    return [
      opened.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all(),
      opened.prepare("SELECT id, hex(a) AS a FROM t ORDER BY id").all(),
    ];
  } finally {
    opened.close();
  }
}

describe("a moment stays what it was while others", () => {
  test.each([
    ["change rows", ["UPDATE t SET a = randomblob(50) WHERE id % 3 = 0"]],
    ["make the file longer", ["INSERT INTO t SELECT id + 1000, zeroblob(5000) FROM t"]],
    [
      "free pages and use them again",
      ["DELETE FROM t", "INSERT INTO t SELECT value, randomblob(9999) FROM json_each('[1,2]')"],
    ],
    [
      "change the schema",
      ["ALTER TABLE t ADD COLUMN b", "DROP INDEX i", "CREATE TABLE u AS SELECT * FROM t"],
    ],
    [
      "write more than the cache holds",
      ["PRAGMA cache_size = 2; BEGIN; UPDATE t SET a = randomblob(100); DELETE FROM t WHERE id % 2; COMMIT"],
    ],
    [
      "roll back what the file has already",
      [
        "PRAGMA cache_size = 2; BEGIN; UPDATE t SET a = randomblob(100); ROLLBACK",
        "UPDATE t SET a = 1 WHERE id = 5",
      ],
    ],
  ])("%s", async (_, transactions) => {
    await create();
    const before = rowsOf(readFileSync(path));
    const moment = await file(path).pin();
    for (const transaction of transactions) await transact(moment, transaction);
    expect(rowsOf(readFileSync(path))).not.toEqual(before);
    expect(moment.taken).toBe("start");
    expect(rowsOf(await allPages(moment, 3))).toEqual(before);
    await moment.release();
  });

  test.each(Array.from({ length: 40 }, (_, seed) => seed))("do anything at all (%i)", async (seed) => {
    const below = random(seed);
    const pick = <T>(all: readonly T[]) => all[below(all.length)] as T;
    const pageSize = pick([512, 1024, 4096, 65536]);
    const autoVacuum = below(3);
    await create({ pageSize, synchronous: pick(["NORMAL", "FULL", "EXTRA"]), autoVacuum });
    await writer.run(`PRAGMA cache_size = ${pick([1, 10, 2000])}`);
    const statements = [
      () => `INSERT OR REPLACE INTO t VALUES (${below(300)}, randomblob(${below(5000)}))`,
      () => `UPDATE t SET a = randomblob(${below(900)}) WHERE id % ${1 + below(9)} = 0`,
      () => `DELETE FROM t WHERE id % ${1 + below(9)} = 0`,
      () => pick(["PRAGMA incremental_vacuum(3)", "REINDEX", "SAVEPOINT s; DELETE FROM t; ROLLBACK TO s"]),
    ];
    // Pages that are cut off as soon as they are free are in no journal.
    let mayBeLost = autoVacuum > 0;
    const transaction = () => {
      if (below(10) === 0) {
        mayBeLost = true;
        return "VACUUM";
      }
      const body = Array.from({ length: 1 + below(4) }, () => pick(statements)());
      return ["BEGIN IMMEDIATE", ...body, pick(["COMMIT", "COMMIT", "ROLLBACK"])].join(";");
    };
    const before = rowsOf(readFileSync(path));
    const moment = await file(path).pin();
    const image = new Uint8Array(moment.pageCount * pageSize);
    try {
      // Some pages are read before, some after each transaction.
      for (let page = 1; page <= moment.pageCount; page++) {
        if (below(moment.pageCount) < 5) await transact(moment, transaction());
        await moment.read(page, image.subarray((page - 1) * pageSize, page * pageSize));
      }
      expect(rowsOf(image)).toEqual(before);
    } catch (error) {
      if (!mayBeLost) throw error;
      expect(error).toMatchObject({ code: "SOURCE_CHANGED" });
    } finally {
      await moment.release();
    }
  });
});

describe("a moment is lost, and the next one a copy, where", () => {
  test.each([
    ["the journal is not synced", { synchronous: "OFF" }],
    ["it is cut off instead of deleted", { journal: "TRUNCATE" }],
    ["it is overwritten instead of deleted", { journal: "PERSIST" }],
    ["it is in memory", { journal: "MEMORY" }],
    ["there is none", { journal: "OFF" }],
  ])("%s", async (_, options) => {
    await create(options);
    const source = file(path, { lockMs: 20 });
    const moment = await source.pin();
    await writer.run("UPDATE t SET a = 1");
    await expect(allPages(moment)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    await moment.release();
    const copy = await source.pin();
    expect(copy.taken).toBe("end");
    expect(rowsOf(await allPages(copy))).toEqual(rowsOf(readFileSync(path)));
    await copy.release();
  });
});

test("a freelist that leads in a circle loses the moment, and does not hold it for ever", async () => {
  await create();
  await writer.run(
    "INSERT INTO t VALUES (998, zeroblob(9999)), (999, zeroblob(9999)); DELETE FROM t WHERE id = 999",
  );
  const image = readFileSync(path);
  const [trunk, all] = [image.readUInt32BE(32), 0xffff_fff0];
  image.writeUInt32BE(all, 36);
  image.writeUInt32BE(trunk, (trunk - 1) * 1024);
  image.writeUInt32BE(0, (trunk - 1) * 1024 + 4);
  writeFileSync(path, image);
  const moment = await file(path).pin();
  await writer.run("DELETE FROM t WHERE id = 998");
  const error = await allPages(moment).catch((error) => error);
  expect(error).toMatchObject({ code: "SOURCE_CHANGED" });
  await moment.release();
});

test("without room for what is kept the moment says so, and leaves no descriptor open", async () => {
  await create();
  const descriptors = readdirSync("/proc/self/fd").length;
  const moment = await file(path).pin();
  vi.stubEnv("TMPDIR", join(folder, "nowhere"));
  try {
    await writer.run("UPDATE t SET a = 1");
    await expect(allPages(moment)).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  } finally {
    vi.unstubAllEnvs();
    await moment.release();
  }
  expect(readdirSync("/proc/self/fd").length).toBe(descriptors);
});

test("several processes that write at once are let through, and each state is a commit", async () => {
  const bank = join(folder, "bank.db");
  createBank(bank, { journal: "delete", accounts: 3000 });
  const writers = await Promise.all(Array.from({ length: 3 }, () => startWriter(bank, "write", "5")));
  const source = file(bank);
  let starts = 0;
  for (let i = 0; i < 8; i++) {
    const moment = await source.pin();
    try {
      const image = new Uint8Array(moment.pageCount * moment.pageSize);
      for (let page = 1; page <= moment.pageCount; page++) {
        await moment.read(page, image.subarray((page - 1) * moment.pageSize, page * moment.pageSize));
        if (page % 4 === 0) await sleep(5);
      }
      markerOf(image, join(folder, "check.db"));
      starts += moment.taken === "start" ? 1 : 0;
    } catch (error) {
      expect(error).toMatchObject({ code: "SOURCE_CHANGED" });
    } finally {
      await moment.release();
    }
  }
  expect(starts).toBeGreaterThan(0);
  expect(writers.flatMap(({ failures }) => failures)).toEqual([]);
});

test("the pages that are kept leave nothing behind", async () => {
  await create();
  // In the system's own folder, what other tests have comes and goes.
  vi.stubEnv("TMPDIR", tempFolder());
  const temporaries = () => readdirSync(tmpdir()).filter((name) => /^pagemark-[^-]*$/.test(name)).length;
  const [before, descriptors] = [temporaries(), readdirSync("/proc/self/fd").length];
  const moment = await file(path).pin();
  for (let i = 0; i < 5; i++) await writer.run("UPDATE t SET a = randomblob(500)");
  expect(temporaries()).toBe(before);
  await moment.release();
  expect(readdirSync("/proc/self/fd").length).toBe(descriptors);
});

test("a writer in this process is not followed: it has its turn, and a long database is copied", async () => {
  await create();
  const db = new DatabaseSync(path);
  const moment = await file(path, { lockMs: 10 }).pin();
  await vi.waitFor(() => db.exec("UPDATE t SET a = 1"), 5000);
  await expect(allPages(moment)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  await moment.release();
  const copy = await file(path, { lockMs: 0 }).pin();
  expect(copy.taken).toBe("end");
  await copy.release();
  db.close();
});
