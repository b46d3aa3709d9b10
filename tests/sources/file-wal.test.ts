// A file in WAL mode that others use: each moment is one commit, nobody waits, and no byte is changed.
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file, type Moment } from "pagemark";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { allPages } from "../contracts/source-cases/image.ts";
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
  await killAll();
  rmSync(folder, { recursive: true });
});

const check = (image: Uint8Array) => markerOf(image, join(tmpdir(), `pagemark-check-${process.pid}.db`));
const sizeOf = (name: string) => statSync(name, { throwIfNoEntry: false })?.size;

async function take(options?: { since?: string | undefined }) {
  const moment = await file(path).pin(options);
  const image = await allPages(moment);
  await moment.release();
  return { image, moment };
}

/** A connection of this process: the application's own. */
function openBank(options: { pageSize?: number; accounts?: number; autocheckpoint?: number } = {}) {
  createBank(path, { journal: "wal", ...options });
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA wal_autocheckpoint = ${options.autocheckpoint ?? 0}; PRAGMA synchronous = OFF`);
  return { db, ...teller(db) };
}

const checkpoint = (db: DatabaseSync, mode: string) =>
  db.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as { busy: number; log: number; checkpointed: number };

describe("a moment is the last commit", () => {
  for (const pageSize of [512, 4096, 65_536]) {
    test(`with pages of ${pageSize} bytes, in the WAL or in the main file`, async () => {
      const { db, transact } = openBank({ pageSize });
      for (let n = 1; n <= 20; n++) {
        transact();
        if (n === 10) checkpoint(db, "PASSIVE");
        if (n === 15) checkpoint(db, "TRUNCATE");
        const { image, moment } = await take();
        expect(moment).toMatchObject({ pageSize, taken: "start" });
        expect(check(image)).toBe(n);
      }
      db.close();
    });
  }

  test("C6 byte for byte what a checkpoint makes of the main file", async () => {
    const { db, transact } = openBank({ accounts: 3000 });
    for (let n = 0; n < 50; n++) transact();
    db.exec("DELETE FROM account WHERE id % 3 = 0; CREATE INDEX by_balance ON account(balance)");
    const { image } = await take();
    expect(checkpoint(db, "TRUNCATE").busy).toBe(0);
    expect(Buffer.compare(image, readFileSync(path))).toBe(0);
    db.close();
  });

  test("without what a transaction has written but not committed", async () => {
    const { db, transact } = openBank({ accounts: 3000 });
    transact();
    db.exec("PRAGMA cache_size = 1");
    transact(() => {});
    const before = sizeOf(`${path}-wal`) ?? 0;
    const other = await startWriter(
      path,
      "hold",
      "PRAGMA cache_size = 1; BEGIN; UPDATE account SET balance = 0, padding = randomblob(100)",
    );
    expect(sizeOf(`${path}-wal`)).toBeGreaterThan(before + 100_000);
    expect(check((await take()).image)).toBe(2);
    await other.kill();
    expect(check((await take()).image)).toBe(2);
    db.close();
  });

  test("from a WAL that is larger than the main file", async () => {
    const { db, transact } = openBank({ accounts: 5000 });
    checkpoint(db, "TRUNCATE");
    const main = sizeOf(path) ?? 0;
    db.exec("UPDATE account SET padding = randomblob(101)");
    db.exec("CREATE TABLE more AS SELECT * FROM account; DROP TABLE more");
    transact();
    expect(sizeOf(`${path}-wal`)).toBeGreaterThan(main * 2);
    expect(check((await take()).image)).toBe(1);
    db.close();
  });

  test("also when the WAL is empty, or nobody has the database open", async () => {
    const { db, transact } = openBank();
    transact();
    checkpoint(db, "TRUNCATE");
    expect(sizeOf(`${path}-wal`)).toBe(0);
    expect(check((await take()).image)).toBe(1);
    db.close();
    expect(sizeOf(`${path}-wal`)).toBeUndefined();
    expect(check((await take()).image)).toBe(1);
  });

  test("of the file that a symbolic link leads to", async () => {
    const { db, transact } = openBank();
    transact();
    const link = join(folder, "link.db");
    symlinkSync("app.db", link);
    const moment = await file(link).pin();
    expect(check(await allPages(moment))).toBe(1);
    await moment.release();
    expect(file(link).name).toBe("link");
    db.close();
  });
});

describe("a moment lasts", () => {
  /** Pins after `prepare`, lets `meanwhile` happen, and reads only then. */
  async function lasts(
    prepare: (bank: ReturnType<typeof openBank>) => void,
    meanwhile: (db: DatabaseSync) => void,
  ) {
    const bank = openBank({ accounts: 1000 });
    for (let n = 0; n < 30; n++) bank.transact();
    prepare(bank);
    const moment = await file(path).pin();
    meanwhile(bank.db);
    const image = await allPages(moment);
    expect(check(image)).toBe(bank.marker() - 200);
    await moment.release();
    bank.db.close();
  }
  const busy = (db: DatabaseSync) => {
    const { transact } = teller(db);
    for (let n = 0; n < 200; n++) {
      transact();
      if (n % 20 === 0) checkpoint(db, "PASSIVE");
    }
  };

  test("while the WAL it is in is checkpointed again and again", () => lasts(() => {}, busy));

  test("in the main file alone, while the WAL starts over and over", async () => {
    const salts = () => readFileSync(`${path}-wal`).toString("hex", 16, 24);
    let before = "";
    await lasts(
      ({ db }) => {
        expect(checkpoint(db, "PASSIVE")).toMatchObject({ busy: 0 });
        before = salts();
      },
      (db) => {
        busy(db);
        expect(salts()).not.toBe(before);
      },
    );
  });

  test("when part of the WAL was checkpointed before", () =>
    lasts(({ db, transact }) => {
      checkpoint(db, "PASSIVE");
      transact();
    }, busy));

  test("while the database is replaced by another file of its name", async () => {
    const { db, transact } = openBank();
    transact();
    const moment = await file(path).pin();
    createBank(join(folder, "other.db"), { journal: "delete" });
    renameSync(join(folder, "other.db"), path);
    expect(check(await allPages(moment))).toBe(1);
    await moment.release();
    db.close();
  });
});

test("A3 C1 C2 C18 200 moments beside a writer that never rests: each is a commit, and the writer never meets a lock", async () => {
  createBank(path, { journal: "wal" });
  const writer = await startWriter(path, "write", "0");
  const source = file(path);
  let last = 0;
  for (let i = 0; i < 200; i++) {
    const before = (await writer.marker()).marker;
    const moment: Moment = await source.pin();
    const after = (await writer.marker()).marker;
    const image = await allPages(moment, 1 + (i % 9));
    await moment.release();
    const marker = check(image);
    expect(marker).toBeGreaterThanOrEqual(before);
    // The writer may be one further than it has said.
    expect(marker).toBeLessThanOrEqual(after + 1);
    last = marker;
  }
  expect(last).toBeGreaterThan(20);
  expect(writer.failures).toEqual([]);
});

describe("nothing is changed", () => {
  test("in a database that a killed process has left, by who is the last to close it", async () => {
    createBank(path, { journal: "wal" });
    const sql =
      "PRAGMA wal_autocheckpoint = 0; UPDATE account SET padding = randomblob(100); UPDATE marker SET n = 0";
    await startWriter(path, "crash", sql);
    const before = contents(folder);
    expect(Object.keys(before)).toEqual(["app.db", "app.db-shm", "app.db-wal"]);
    // Far more frames than the 1000 after which SQLite would checkpoint unasked.
    for (let i = 0; i < 3; i++) expect(check((await take()).image)).toBe(0);
    expect(contents(folder)).toEqual(before);
  });

  test("with a checkpoint due", async () => {
    const { db } = openBank({ accounts: 3000 });
    for (let i = 0; i < 15; i++) db.exec("UPDATE account SET padding = randomblob(100)");
    expect((sizeOf(`${path}-wal`) ?? 0) / 4120).toBeGreaterThan(1000);
    const before = contents(folder);
    expect(check((await take()).image)).toBe(0);
    expect(contents(folder)).toEqual(before);
    db.close();
  });

  test("in a database that nobody has open, nor is anything made beside it", async () => {
    openBank().db.close();
    const before = contents(folder);
    expect(Object.keys(before)).toEqual(["app.db"]);
    await take();
    expect(contents(folder)).toEqual(before);
  });

  test("where the -shm is gone", async () => {
    const { db, transact } = openBank();
    transact();
    const copy = join(folder, "copy.db");
    for (const ending of ["", "-wal"]) {
      const bytes = readFileSync(path + ending);
      renameSync(path + ending, copy + ending);
      expect(bytes.length).toBeGreaterThan(0);
    }
    rmSync(`${path}-shm`);
    db.close();
    const before = contents(folder);
    path = copy;
    expect(check((await take()).image)).toBe(1);
    expect(contents(folder)).toEqual(before);
  });
});

describe("what changed", () => {
  const differing = (a: Uint8Array, b: Uint8Array, pageSize: number) => {
    const pages: number[] = [];
    for (let at = 0; at < b.length; at += pageSize) {
      if (Buffer.compare(a.subarray(at, at + pageSize), b.subarray(at, at + pageSize)) !== 0)
        pages.push(at / pageSize + 1);
    }
    return pages;
  };

  test("is told while the WAL only grows, also once it was checkpointed", async () => {
    const { db, transact } = openBank({ accounts: 2000 });
    transact();
    let { image, moment } = await take();
    expect(moment.changed).toBeUndefined();
    for (let n = 0; n < 5; n++) {
      if (n !== 3) transact();
      if (n === 4) checkpoint(db, "PASSIVE");
      const next = await take({ since: moment.mark });
      const different = differing(image, next.image, 4096);
      expect([...(next.moment.changed ?? [])], `after step ${n}`).toEqual(expect.arrayContaining(different));
      expect(next.moment.changed?.length).toBeLessThan(12);
      if (n === 3) expect(next.moment.changed).toHaveLength(0);
      ({ image, moment } = next);
    }
    // All of it was checkpointed: the next transaction starts it over.
    transact();
    expect((await take({ since: moment.mark })).moment.changed).toBeUndefined();
    db.close();
  });

  test("is not told across a WAL that started over, or by a mark of another database", async () => {
    const { db, transact } = openBank();
    transact();
    const { moment } = await take();
    checkpoint(db, "RESTART");
    transact();
    expect((await take({ since: moment.mark })).moment.changed).toBeUndefined();
    expect((await take({ since: "wal:0011223344556677:1:0011223344556677" })).moment.changed).toBeUndefined();
    expect((await take({ since: "nonsense" })).moment.changed).toBeUndefined();
    db.close();
  });
});

describe("a backup in the application's own process", () => {
  test("leaves the application's locks alone", async () => {
    const { db, transact } = openBank();
    transact();
    // Nobody else may start over while this transaction reads, or write while that one writes.
    const other = new DatabaseSync(path);
    other.exec("BEGIN; SELECT * FROM account");
    db.exec("BEGIN IMMEDIATE");
    await Promise.all([take(), take()]);
    const script = "PRAGMA busy_timeout = 0; BEGIN IMMEDIATE";
    const writer = await startWriter(path, "hold", script);
    expect(writer.failures.join()).toContain("database is locked");
    db.exec("COMMIT");
    other.close();
    db.close();
  });

  test("keeps its moment when another one ends", async () => {
    const { db, transact } = openBank();
    transact();
    const [one, two] = [await file(path).pin(), await file(path).pin()];
    await one.release();
    const rewriter = await startWriter(
      path,
      "hold",
      "UPDATE marker SET n = 99; UPDATE account SET padding = randomblob(100); PRAGMA wal_checkpoint(TRUNCATE)",
    );
    expect(rewriter.failures).toEqual([]);
    expect(check(await allPages(two))).toBe(1);
    await two.release();
    db.close();
  });
});

test("a database in exclusive locking mode is read without SQLite, which keeps its WAL index to itself", async () => {
  createBank(path, { journal: "wal" });
  const sql = "PRAGMA locking_mode = EXCLUSIVE; UPDATE account SET padding = randomblob(100)";
  await startWriter(path, "hold", sql);
  expect(sizeOf(`${path}-shm`)).toBeUndefined();
  expect(check((await take()).image)).toBe(0);
});
