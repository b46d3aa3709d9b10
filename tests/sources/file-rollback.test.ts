// A file in rollback mode that others use, and what is left when one of them was killed.
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { file, type Moment } from "pagemark";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { allPages } from "../contracts/source-cases/image.ts";
import { tempFolder } from "../support/temp.ts";
import { createBank, markerOf, teller } from "./bank.ts";
import { contents, killAll, startWriter } from "./processes.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pagemark-"));
  path = join(folder, "app.db");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await killAll();
  rmSync(folder, { recursive: true });
});

const check = (image: Uint8Array) => markerOf(image, join(tmpdir(), `pagemark-check-${process.pid}.db`));

async function take(options?: Parameters<typeof file>[1]) {
  const moment = await file(path, options).pin();
  const image = await allPages(moment);
  await moment.release();
  return image;
}

/** Takes a moment as a job does: again, when it did not hold. `read` may be as slow as it likes. */
async function takeAgain(source: ReturnType<typeof file>, read: (moment: Moment) => Promise<Uint8Array>) {
  for (let attempts = 1; ; attempts++) {
    const moment = await source.pin();
    try {
      const image = await read(moment);
      await moment.release();
      return { image, attempts, taken: moment.taken };
    } catch (error) {
      await moment.release().catch(() => {});
      expect(error).toMatchObject({ code: "SOURCE_CHANGED" });
      expect(attempts).toBeLessThan(3);
    }
  }
}

/** Reads with pauses, longer than a lock of a few milliseconds lasts. */
async function readSlowly(moment: Moment): Promise<Uint8Array> {
  const image = new Uint8Array(moment.pageCount * moment.pageSize);
  for (let page = 1; page <= moment.pageCount; page++) {
    await moment.read(page, image.subarray((page - 1) * moment.pageSize, page * moment.pageSize));
    if (page % 8 === 0) await sleep(10);
  }
  return image;
}

describe.each(["delete", "truncate", "persist"] as const)("in journal mode %s", (journal) => {
  test("C1 C2 moments beside a writer that never rests are those at which they were pinned", async () => {
    createBank(path, { journal });
    const writer = await startWriter(path, "write", `1 ${journal}`);
    const source = file(path);
    for (let i = 0; i < 15; i++) {
      const before = (await writer.marker()).marker;
      const moment = await source.pin();
      expect(moment.taken).toBe("start");
      const image = await allPages(moment, 7);
      await moment.release();
      const marker = check(image);
      expect(marker).toBeGreaterThanOrEqual(before);
      expect(marker).toBeLessThanOrEqual((await writer.marker()).marker + 1);
      // The next one is not to find the same transaction.
      await sleep(5);
    }
    expect(writer.failures).toEqual([]);
  });

  test(`a slow reader lets writers through, and ${journal === "delete" ? "keeps its moment" : "has a copy the second time"}`, async () => {
    createBank(path, { journal, accounts: 2000 });
    const writer = await startWriter(path, "write", `20 ${journal}`);
    const source = file(path, { lockMs: 5 });
    const { marker: before } = await writer.marker();
    const { image, attempts, taken } = await takeAgain(source, readSlowly);
    expect({ attempts, taken }).toEqual(
      journal === "delete" ? { attempts: 1, taken: "start" } : { attempts: 2, taken: "end" },
    );
    const { marker: after } = await writer.marker();
    const marker = check(image);
    expect(marker).toBeLessThan(after);
    if (journal === "delete") expect(marker).toBeLessThanOrEqual(before + 1);
    expect(writer.failures).toEqual([]);
    // What was learnt of the writer is not held against it for ever.
    await writer.kill();
    expect(await source.pin().then(async (moment) => [moment.taken, await moment.release()][0])).toBe(
      "start",
    );
  });

  test("no byte is changed", async () => {
    createBank(path, { journal });
    const db = new DatabaseSync(path);
    teller(db).transact();
    const before = contents(folder);
    expect(check(await take())).toBe(1);
    expect(check(await take({ lockMs: 0 }))).toBe(1);
    expect(contents(folder)).toEqual(before);
    db.close();
  });
});

test("a slow reader of a database that nobody writes keeps its moment", async () => {
  createBank(path, { journal: "delete" });
  const { image, attempts, taken } = await takeAgain(file(path, { lockMs: 2 }), readSlowly);
  expect({ attempts, taken }).toEqual({ attempts: 1, taken: "start" });
  expect(check(image)).toBe(0);
});

test("a moment that nobody reads does not keep writers waiting", async () => {
  createBank(path, { journal: "delete" });
  const moment = await file(path).pin();
  const writer = await startWriter(path, "write", "20");
  const longestMs = await vi.waitFor(async () => {
    const { marker, longestMs } = await writer.marker();
    expect(marker).toBeGreaterThan(3);
    return longestMs;
  }, 10_000);
  expect(longestMs).toBeLessThan(250);
  expect(check(await allPages(moment))).toBe(0);
  await moment.release();
  expect(writer.failures).toEqual([]);
});

test("readers that overlap without end do not keep writers waiting", async () => {
  createBank(path, { journal: "delete" });
  const moment = await file(path).pin();
  const writer = await startWriter(path, "write", "20");
  const deadline = performance.now() + 10_000;
  let [marker, isDone] = [0, false];
  const readOn = async () => {
    while (!isDone) await moment.read(1, new Uint8Array(4096));
  };
  const reading = Array.from({ length: 8 }, readOn);
  while (marker <= 3 && performance.now() < deadline) ({ marker } = await writer.marker());
  isDone = true;
  await Promise.all(reading);
  expect(marker).toBeGreaterThan(3);
  expect(check(await allPages(moment))).toBe(0);
  await moment.release();
  expect(writer.failures).toEqual([]);
});

test("a long database whose writer leaves its journal is copied at once, and the copy leaves nothing behind", async () => {
  createBank(path, { journal: "truncate", accounts: 5000 });
  const writer = await startWriter(path, "write", "0 truncate");
  // In the system's own folder, what other tests have comes and goes.
  vi.stubEnv("TMPDIR", tempFolder());
  const temporaries = () => readdirSync(tmpdir()).filter((name) => /^pagemark-[^-]*$/.test(name)).length;
  const before = temporaries();
  for (let i = 0; i < 5; i++) {
    const moment = await file(path, { lockMs: 1 }).pin();
    expect(moment.taken).toBe("end");
    expect(temporaries()).toBe(before);
    check(await readSlowly(moment));
    await moment.release();
  }
  expect(writer.failures).toEqual([]);
});

test("two moments at once hold on their own", async () => {
  createBank(path, { journal: "delete" });
  const [one, two] = [await file(path, { lockMs: 60_000 }).pin(), await file(path, { lockMs: 60_000 }).pin()];
  await one.release();
  const writer = await startWriter(path, "hold", "PRAGMA busy_timeout = 0; UPDATE marker SET n = 9");
  expect(writer.failures.join()).toContain("database is locked");
  expect(check(await allPages(two))).toBe(0);
  await two.release();
});

test("a database that another process keeps locked is busy, and says so", async () => {
  createBank(path, { journal: "delete" });
  const holder = await startWriter(path, "hold", "BEGIN EXCLUSIVE");
  const error = { code: "SOURCE_BUSY", at: { name: path }, message: expect.stringContaining(path) };
  await expect(file(path, { busyTimeoutMs: 50 }).pin()).rejects.toMatchObject(error);
  const reason = new Error("stop");
  const pinning = file(path).pin({ signal: AbortSignal.any([AbortSignal.timeout(50)]) });
  await expect(pinning).rejects.toMatchObject({ name: "TimeoutError" });
  await expect(file(path).pin({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await holder.kill();
  expect(check(await take())).toBe(0);
});

test("a transaction that has not reached the file yet is not in the way", async () => {
  createBank(path, { journal: "delete" });
  await startWriter(path, "hold", "BEGIN IMMEDIATE; UPDATE marker SET n = 5");
  expect(check(await take({ busyTimeoutMs: 50 }))).toBe(0);
});

describe("a hot journal", () => {
  const SPILL = "PRAGMA cache_size = 1; BEGIN; UPDATE account SET balance = 0, padding = randomblob(90)";

  /** Kills a process in the middle of a transaction that has reached the main file already. */
  async function crash(sql = SPILL): Promise<Record<string, string>> {
    createBank(path, { journal: "delete", accounts: 2000 });
    const db = new DatabaseSync(path);
    teller(db).transact();
    db.close();
    const before = readFileSync(path);
    await startWriter(path, "crash", sql);
    expect(Buffer.compare(readFileSync(path), before)).not.toBe(0);
    return contents(folder);
  }

  /** What SQLite makes of the same files. */
  function recovered(): Buffer {
    const copy = join(mkdtempSync(join(folder, "copy-")), "app.db");
    for (const ending of ["", "-journal"]) copyFileSync(path + ending, copy + ending);
    const db = new DatabaseSync(copy);
    db.prepare("SELECT count(*) FROM account").get();
    db.close();
    return readFileSync(copy);
  }

  test("is rolled back in what is read, and left for SQLite to roll back in the file", async () => {
    const before = await crash();
    expect(Object.keys(before)).toEqual(["app.db", "app.db-journal"]);
    const image = await take();
    expect(check(image)).toBe(1);
    expect(contents(folder)).toEqual(before);
    expect(Buffer.compare(image, recovered())).toBe(0);
  });

  test("of a transaction that had made the file larger is rolled back too", async () => {
    await crash(
      "PRAGMA cache_size = 1; BEGIN; INSERT INTO account SELECT id + 9999, 0, zeroblob(9000) FROM account",
    );
    const image = await take();
    expect(image.length).toBeLessThan(readFileSync(path).length);
    expect(check(image)).toBe(1);
    expect(Buffer.compare(image, recovered())).toBe(0);
  });

  test("is stale when the super-journal that it names is gone, and counts as long as that is there", async () => {
    await crash();
    const superJournal = join(folder, "other.db-mj012345978");
    const name = new TextEncoder().encode(superJournal);
    const record = new DataView(new ArrayBuffer(4 + name.length + 16));
    record.setUint32(0, 2 ** 30 / 4096 + 1);
    new Uint8Array(record.buffer).set(name, 4);
    record.setUint32(4 + name.length, name.length);
    record.setUint32(
      8 + name.length,
      name.reduce((sum, byte) => sum + byte, 0),
    );
    record.setBigUint64(12 + name.length, 0xd9d505f920a163d7n);
    appendFileSync(`${path}-journal`, new Uint8Array(record.buffer));

    writeFileSync(superJournal, `${path}-journal\0`);
    expect(check(await take())).toBe(1);
    rmSync(superJournal);
    expect(Buffer.compare(await take(), readFileSync(path))).toBe(0);
    expect(Buffer.compare(await take(), recovered())).toBe(0);
  });

  test("that is rolled back by somebody else while it is read ends the moment", async () => {
    await crash();
    const moment = await file(path).pin();
    await allPages(moment);
    const db = new DatabaseSync(path);
    db.prepare("SELECT count(*) FROM account").get();
    db.close();
    await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED", at: { name: path } });
    await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
    expect(check(await take())).toBe(1);
  });

  test("that states more pages than there can be is damage", async () => {
    await crash();
    const journal = readFileSync(`${path}-journal`);
    journal.writeUInt32BE(0xfff0_0000, 16);
    writeFileSync(`${path}-journal`, journal);
    await expect(take()).rejects.toMatchObject({ code: "JOURNAL_HEADER" });
  });
});
