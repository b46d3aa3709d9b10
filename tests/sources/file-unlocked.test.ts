// A file where the runtime has no SQLite to lock it with: what is written meanwhile is noticed.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file } from "pagemark";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sourceContract } from "../contracts/source.ts";
import { allPages } from "../contracts/source-cases/image.ts";
import { createBank, markerOf, teller } from "./bank.ts";
import { contents, killAll, startWriter } from "./processes.ts";

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pagemark-"));
  path = join(folder, "app.db");
  const { getBuiltinModule } = process;
  vi.spyOn(process, "getBuiltinModule").mockImplementation((id: string) =>
    id === "node:sqlite" ? undefined : getBuiltinModule(id),
  );
});

afterEach(async () => {
  vi.restoreAllMocks();
  await killAll();
  rmSync(folder, { recursive: true });
});

sourceContract("file() without node:sqlite", async (image) => {
  await writeFile(path, image);
  return { source: file(path) };
});

const check = (image: Uint8Array) => markerOf(image, join(tmpdir(), `pagemark-check-${process.pid}.db`));

async function take() {
  const moment = await file(path).pin();
  const image = await allPages(moment);
  await moment.release();
  return image;
}

function openBank(journal: "wal" | "delete") {
  createBank(path, { journal });
  const db = new DatabaseSync(path);
  db.exec("PRAGMA wal_autocheckpoint = 0");
  return { db, ...teller(db) };
}

describe.each(["wal", "delete"] as const)("without node:sqlite, in journal mode %s", (journal) => {
  test("a database that is not written is read, and no byte of it changed", async () => {
    const { db, transact } = openBank(journal);
    transact();
    const before = contents(folder);
    expect(check(await take())).toBe(1);
    expect(contents(folder)).toEqual(before);
    db.close();
  });

  test("a transaction that has not ended is left out", async () => {
    openBank(journal).transact();
    const sql = "PRAGMA cache_size = 1; BEGIN; UPDATE account SET balance = 0, padding = randomblob(99)";
    await startWriter(path, "hold", sql);
    expect(check(await take())).toBe(1);
  });

  test("a writer that never rests is noticed, or the moment is a commit", async () => {
    createBank(path, { journal });
    const writer = await startWriter(path, "write", "40");
    let held = 0;
    for (let i = 0; i < 30; i++) {
      try {
        check(await take());
        held++;
      } catch (error) {
        expect(error).toMatchObject({ code: "SOURCE_CHANGED" });
      }
    }
    expect(held).toBeGreaterThan(0);
    expect(writer.failures).toEqual([]);
  });
});

test("a commit in rollback mode ends the moment", async () => {
  const { db, transact } = openBank("delete");
  const moment = await file(path).pin();
  const image = await allPages(moment);
  transact();
  await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED", at: { name: path } });
  expect(image).not.toEqual(readFileSync(path));
  db.close();
});

test("a commit to a WAL harms no moment, a checkpoint ends it", async () => {
  const { db, transact } = openBank("wal");
  transact();
  const [one, other] = [await file(path).pin(), await file(path).pin()];
  transact();
  expect(check(await allPages(one))).toBe(1);
  await one.release();
  db.exec("PRAGMA wal_checkpoint");
  await expect(other.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  db.close();
});

test("a WAL that starts over ends the moment, also when it gets as long as before", async () => {
  const { db, transact } = openBank("wal");
  transact();
  db.exec("PRAGMA wal_checkpoint");
  const moment = await file(path).pin();
  const size = readFileSync(`${path}-wal`).length;
  transact();
  expect(readFileSync(`${path}-wal`)).toHaveLength(size);
  await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
  db.close();
});

test("a WAL that appears ends the moment", async () => {
  openBank("wal").db.close();
  const moment = await file(path).pin();
  const { transact } = teller(new DatabaseSync(path));
  transact();
  await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
});

test("a file that was written just now is read once its next change will show", async () => {
  openBank("delete").db.close();
  const bytes = readFileSync(path);
  await writeFile(path, bytes);
  const moment = await file(path).pin();
  appendFileSync(path, "");
  utimesSync(path, new Date(), new Date());
  await expect(moment.release()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
});

test("a file that is always being written is busy", async () => {
  openBank("delete").db.close();
  const touch = setInterval(() => utimesSync(path, new Date(), new Date()), 2);
  try {
    await expect(file(path, { busyTimeoutMs: 100 }).pin()).rejects.toMatchObject({ code: "SOURCE_BUSY" });
  } finally {
    clearInterval(touch);
  }
});
