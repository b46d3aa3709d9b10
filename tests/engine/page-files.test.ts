// The store over files that are read and written at once, here over files in memory: what it does in real OPFS is in
// tests/runtimes/browser.
import * as engine from "pagemark/engine";
import { Database, type PageStore } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { core } from "../../js/dist/core/index.js";
import { PageFiles } from "../../js/dist/engine/page-files.js";
import { random as seeded } from "../faults/random.ts";
import { live } from "./store-model.ts";
import { column, rejectionOf } from "./support.ts";

/** A file that may lose what was not flushed. */
class MemoryFile {
  bytes = new Uint8Array();
  /** What lasts. */
  flushed = new Uint8Array();
  isMortal = false;
  /** Called before each change; throws for a file that fails. */
  before: (what: string) => void = () => {};

  read(into: Uint8Array, { at }: { at: number }): number {
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, { at }: { at: number }): number {
    this.before("write");
    if (at + bytes.length > this.bytes.length) this.#resize(at + bytes.length);
    this.bytes.set(bytes, at);
    return bytes.length;
  }

  truncate(size: number): void {
    this.before("truncate");
    this.#resize(size);
  }

  getSize(): number {
    return this.bytes.length;
  }

  flush(): void {
    this.before("flush");
    if (this.isMortal) this.flushed = this.bytes.slice();
  }

  close(): void {}

  /** As it is after the machine lost its power: of what was not flushed, some blocks came through. */
  afterCrash(random: (below: number) => number): MemoryFile {
    const left = new MemoryFile();
    const size = random(2) === 0 ? this.flushed.length : this.bytes.length;
    left.bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 512) {
      const from = random(2) === 0 ? this.bytes : this.flushed;
      left.bytes.set(from.subarray(at, Math.min(at + 512, size)), at);
    }
    left.flushed = left.bytes.slice();
    return left;
  }

  #resize(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }
}

type Files = [MemoryFile, MemoryFile, MemoryFile];

const filesOf = (): Files => [new MemoryFile(), new MemoryFile(), new MemoryFile()];

async function storeOver([pages, one, other]: Files): Promise<PageStore> {
  const { Sha256 } = await core();
  return new PageFiles({ pages, logs: [one, other] }, new Sha256());
}

describe("PageFiles", { timeout: 30_000 }, () => {
  test.each([1, 2, 3, 4, 6, 12])("random lives are as in a store of a Map: seed %i", async (seed) => {
    const files = filesOf();
    const life = await live(engine, await storeOver(files), { seed, steps: 250 });
    expect(life).toMatchObject({ differed: undefined });
    expect(life.compared).toBeGreaterThan(1000);
    // With nothing held, and no history, room is used again.
    const db = await Database.open({ store: storeOver(files) });
    for (let n = 1; n < 50; n++) db.exec(`PRAGMA user_version = ${n}; VACUUM`);
    const { pageCount = 0, pageSize = 0 } = db.states().at(-1) ?? {};
    db.close();
    using again = await Database.open({ store: storeOver(files) });
    expect(again.check().ok).toBe(true);
    expect(files[0].bytes.length).toBeLessThan(3 * pageCount * pageSize + 16 * pageSize);
  });

  test("after a crash at any change, with some of what was not flushed lost, the last or the next commit is there", async () => {
    const random = seeded(5);
    let isDone = false;
    let crashes = 0;
    for (let failing = 1; !isDone; failing++) {
      const files = filesOf();
      let changes = 0;
      for (const file of files) {
        file.isMortal = true;
        file.before = () => {
          if (++changes >= failing) throw new Error("the power is gone");
        };
      }
      const seen: unknown[][] = [[]];
      let begun = 0;
      try {
        const db = await Database.open({ store: storeOver(files), history: { commits: 2 } });
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, payload)");
        for (const sql of [
          "INSERT INTO t VALUES (1, 'x', NULL)",
          "INSERT INTO t VALUES (2, 'large', randomblob(30000))",
          "UPDATE t SET a = 'y' WHERE id = 1",
          "DELETE FROM t WHERE id = 2",
          "VACUUM",
          "INSERT INTO t VALUES (3, 'last', zeroblob(9000))",
        ]) {
          begun = seen.length;
          db.exec(sql);
          seen.push(column(db, "SELECT a FROM t ORDER BY id"));
        }
        isDone = changes < failing;
      } catch {
        crashes++;
      }
      for (let round = 0; round < 4; round++) {
        const left = files.map((file) => file.afterCrash(random)) as Files;
        using again = await Database.open({ store: storeOver(left) });
        expect(again.check().ok, `change ${failing}`).toBe(true);
        const hasTable = column(again, "SELECT count(*) FROM sqlite_schema")[0] !== 0;
        const rows = hasTable ? column(again, "SELECT a FROM t ORDER BY id") : [];
        const possible = [seen.at(-1), ...(begun > 0 ? [NEXT[begun]] : [[]])];
        expect(possible, `change ${failing}`).toContainEqual(rows);
        // And it goes on from there.
        again.exec(
          "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a, payload); INSERT INTO t (a) VALUES ('on')",
        );
        expect(column(again, "SELECT a FROM t ORDER BY id").at(-1)).toBe("on");
      }
    }
    expect(crashes).toBeGreaterThan(30);
  });

  test("a change that fails leaves the database at its last commit, in this process and the next", async () => {
    for (let failing = 1; failing < 12; failing++) {
      const files = filesOf();
      const db = await Database.open({ store: storeOver(files) });
      db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x')");
      let changes = 0;
      for (const file of files) {
        file.before = () => {
          if (++changes === failing) throw new DOMException("no more", "QuotaExceededError");
        };
      }
      const insert = () => db.exec("INSERT INTO t VALUES (2, zeroblob(20000))");
      try {
        insert();
      } catch (error) {
        expect(error).toMatchObject({ code: "ENGINE_FULL" });
        expect(column(db, "SELECT id FROM t")).toEqual([1]);
        insert();
      }
      for (const file of files) file.before = () => {};
      expect(column(db, "SELECT id FROM t")).toEqual([1, 2]);
      db.close();
      using again = await Database.open({ store: storeOver(files) });
      expect(column(again, "SELECT id FROM t")).toEqual([1, 2]);
    }
  });

  test("a record that failed, and could not be taken away, does not come back to life", async () => {
    for (let failing = 1; failing < 12; failing++) {
      const files = filesOf();
      const db = await Database.open({ store: storeOver(files) });
      db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 'x')");
      let changes = 0;
      for (const file of files) {
        file.before = () => {
          // Three in a row: the change, and twice what takes it away.
          if (++changes >= failing && changes < failing + 3)
            throw new DOMException("no more", "QuotaExceededError");
        };
      }
      for (const sql of ["INSERT INTO t VALUES (2, zeroblob(20000))", "UPDATE t SET a = 'y' WHERE id = 1"]) {
        const before = column(db, "SELECT a FROM t");
        while (errorOf(() => db.exec(sql))) expect(column(db, "SELECT a FROM t")).toEqual(before);
      }
      for (const file of files) file.before = () => {};
      db.close();
      using again = await Database.open({ store: storeOver(files) });
      expect(column(again, "SELECT a FROM t ORDER BY id")[0]).toBe("y");
      expect(column(again, "SELECT id FROM t")).toEqual([1, 2]);
      expect(again.check().ok).toBe(true);
    }
  });

  test("a commit lasts though its log, which is long, cannot be begun anew", async () => {
    const files = filesOf();
    const db = await Database.open({ store: storeOver(files) });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    let refused = 0;
    files[2].before = files[1].before = (what) => {
      if (what !== "truncate") return;
      refused++;
      throw new DOMException("no more", "QuotaExceededError");
    };
    const insert = db.prepare("INSERT INTO t (a) VALUES (?)");
    let n = 0;
    while (refused < 10 && n < 10_000) insert.run(n++);
    expect(refused).toBeGreaterThanOrEqual(10);
    db.close();
    for (const file of files) file.before = () => {};
    using again = await Database.open({ store: storeOver(files) });
    expect(column(again, "SELECT count(*) FROM t")).toEqual([n]);
  });

  test("time travel and bookmarks last, and a long log is begun anew", async () => {
    const files = filesOf();
    const db = await Database.open({ store: storeOver(files), history: { commits: 20 } });
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
    const insert = db.prepare("INSERT INTO t (a) VALUES (?)");
    for (let n = 0; n < 6000; n++) insert.run(n);
    const at = db.bookmark();
    db.exec("DELETE FROM t");
    db.close();
    expect(files[1].bytes.length + files[2].bytes.length).toBeLessThan(3 << 20);
    using again = await Database.open({ store: storeOver(files), history: { commits: 20 } });
    again.restore({ at });
    expect(column(again, "SELECT count(*) FROM t")).toEqual([6000]);
    expect(again.check().ok).toBe(true);
  });

  test("for whom a commit was made lasts with it, also when the log is begun anew", async () => {
    const files = filesOf();
    const store = (await storeOver(files)) as PageFiles;
    const db = await Database.open({ store });
    db.exec("CREATE TABLE t (a)");
    store.notes.next = ["one", 7];
    expect(store.notes.has("one", 7)).toBe(false);
    db.exec("INSERT INTO t VALUES (1)");
    store.notes.next = ["two", 1];
    expect(() => db.exec("INSERT INTO nowhere VALUES (1)")).toThrow("no such table");
    store.notes.next = undefined;
    const seen = (notes: PageFiles["notes"]) => [
      notes.has("one", 7),
      notes.has("one", 8),
      notes.has("two", 1),
    ];
    expect(seen(store.notes)).toEqual([true, false, false]);
    const insert = db.prepare("INSERT INTO t VALUES (1)");
    for (let n = 0; n < 6000; n++) insert.run();
    db.close();
    const again = (await storeOver(files)) as PageFiles;
    const opened = await Database.open({ store: again });
    expect(seen(again.notes)).toEqual([true, false, false]);
    again.notes.forget("one", 8);
    expect(seen(again.notes)).toEqual([false, false, false]);
    opened.close();
  });

  test("a log of which nothing can be read is damage, and the pages stay", async () => {
    const files = filesOf();
    const db = await Database.open({ store: storeOver(files) });
    db.exec("CREATE TABLE t (a)");
    db.close();
    for (const file of files.slice(1)) file.bytes.fill(1, 0, 8);
    expect((await rejectionOf(Database.open({ store: storeOver(files) }))).message).toMatch(
      /log of the database is damaged/,
    );
    expect(files[0].bytes.length).toBeGreaterThan(0);
  });
});

/** What an action throws: a full store, or nothing. */
function errorOf(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: "ENGINE_FULL" });
    return error;
  }
}

/** What the work's statements make of the table, by how many came before. */
const NEXT: Readonly<Record<number, unknown[]>> = {
  1: ["x"],
  2: ["x", "large"],
  3: ["y", "large"],
  4: ["y"],
  5: ["y"],
  6: ["y", "last"],
};
