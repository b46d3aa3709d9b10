// Backups, dumps and restores of a live database.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file, memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { tableSql, tempFolder } from "../support/temp.ts";
import { MapStore, watched } from "./map-store.ts";
import { bytesOf, codeOf, column, turn } from "./support.ts";

const folder = tempFolder();

/** Every row of every table, as one text. */
const contentOf = (db: Database) =>
  JSON.stringify(db.prepare("SELECT id, note, hex(payload) FROM a ORDER BY id").values());

const textOf = async (stream: ReadableStream<Uint8Array>) => new TextDecoder().decode(await bytesOf(stream));

/** A database over a store that notes which pages are read of it. */
async function watchedDatabase(): Promise<{ db: Database; store: MapStore; reads: Set<number> }> {
  const store = new MapStore();
  const reads = new Set<number>();
  const noting = Object.assign(watched(store, {}), {
    read(pgno: number, txid: number) {
      reads.add(pgno);
      return store.read(pgno, txid);
    },
  });
  const db = await Database.open({ store: noting, name: "watched" });
  return { db, store, reads };
}

describe("backup()", () => {
  test("B1 B3 is full at first, and after 100 changed rows reads and stores only the pages that changed", async () => {
    const { db, reads } = await watchedDatabase();
    using _ = db;
    db.exec(tableSql("a", 20_000));
    const store = memoryStore();
    const full = await db.backup({ store });
    const { pageCount = 0 } = db.states().at(-1) ?? {};
    expect(full).toMatchObject({ kind: "full", pageCount, tables: 1 });

    const update = db.prepare("UPDATE a SET payload = randomblob(100) WHERE id = ?");
    db.transaction(() => {
      for (let n = 0; n < 100; n++) update.run(n * 7 + 1);
    });
    reads.clear();
    const next = await db.backup({ store });
    const { changedPages, kind } = next;
    expect(kind).toBe("incremental");
    expect(changedPages).toBeGreaterThan(0);
    expect(changedPages).toBeLessThan(120);
    // Beside those: the header and the pages that say what tables there are.
    expect(reads.size).toBeLessThan(changedPages + 10);
    expect(pageCount).toBeGreaterThan(changedPages * 5);

    reads.clear();
    const same = await db.backup({ store });
    expect(reads.size).toBeLessThan(10);
    expect(same.changedPages).toBe(0);
    const latest = await bytesOf(await pagemark(db, { store }).download());
    expect(Buffer.compare(latest, db.serialize())).toBe(0);
  });

  test("over restores, VACUUM, a smaller and a larger database: every backup is what the database was", async () => {
    using db = await Database.open({ history: { commits: 100 } });
    const store = memoryStore();
    db.exec(tableSql("a", 500));
    const at = db.bookmark();
    const changes = [
      () => db.exec("UPDATE a SET note = 'changed' WHERE id % 50 = 0"),
      () => db.exec(tableSql("b", 300, 900)),
      () => db.exec("DROP TABLE b; DELETE FROM a WHERE id > 100; VACUUM"),
      () => db.restore({ at }),
      () => db.exec("PRAGMA page_size = 1024; VACUUM"),
      () => db.exec(tableSql("c", 200, 700)),
      () => db.load(new Uint8Array(db.serialize())),
      () => db.restore({ at }),
    ];
    const images: Uint8Array[] = [];
    for (const change of [() => {}, ...changes]) {
      await change();
      await db.backup({ store });
      images.push(db.serialize());
    }
    const made = await Array.fromAsync(pagemark(db, { store }).backups());
    expect(made.reverse().map(({ kind }) => kind)).toContain("incremental");
    for (const [n, { bookmark }] of made.entries()) {
      const image = await bytesOf(await pagemark(db, { store }).download(bookmark));
      expect(Buffer.compare(image, images[n] ?? image.subarray(1)), `backup ${n}`).toBe(0);
    }
    expect((await pagemark(db, { store }).verify()).problems).toEqual([]);
  });

  test("goes on incrementally when the database is opened anew over its store", async () => {
    const [pages, store] = [new MapStore(), memoryStore()];
    {
      using db = await Database.open({ store: pages });
      db.exec(tableSql("a", 2000));
      await db.backup({ store });
    }
    using db = await Database.open({ store: pages });
    db.exec("UPDATE a SET note = 'x' WHERE id = 7");
    expect((await db.backup({ store })).kind).toBe("incremental");
    const image = await bytesOf(await pagemark(db, { store }).download());
    expect(Buffer.compare(image, db.serialize())).toBe(0);
  });

  test("over a store that was put back to an older copy of itself is of what there is now", async () => {
    const [pages, store] = [new MapStore(), memoryStore()];
    const opened = (at: MapStore) => Database.open({ store: at, history: { commits: 3 } });
    const write = (db: Database, what: string) => db.exec(`UPDATE a SET note = '${what}' WHERE id % 10 = 1`);
    let older: MapStore;
    {
      using db = await opened(pages);
      db.exec(tableSql("a", 500));
      older = pages.copy();
      write(db, "lost with the store");
      await db.backup({ store });
    }
    // As many commits as before, and more: the TXID of the backup names another state now.
    for (const commits of [1, 2, 20]) {
      const forked = older.copy();
      using db = await opened(forked);
      for (let n = 0; n < commits; n++) db.exec(`UPDATE a SET note = 'fork ${n}' WHERE id = 2`);
      await db.backup({ store });
      const image = await bytesOf(await pagemark(db, { store }).download());
      expect(Buffer.compare(image, db.serialize()), `${commits} commits`).toBe(0);
    }
  });

  test("is stopped by an abort, and then holds nothing", async () => {
    const { db, store } = await watchedDatabase();
    using _ = db;
    db.exec(tableSql("a", 2000));
    const size = store.size;
    const aborter = new AbortController();
    const reason = new Error("enough");
    const backup = db.backup({
      store: memoryStore(),
      signal: aborter.signal,
      onProgress: () => aborter.abort(reason),
    });
    await expect(backup).rejects.toBe(reason);
    db.exec("UPDATE a SET note = 'x'");
    expect(store.size).toBeLessThan(size * 1.1);
  });
});

describe("restoring a backup", () => {
  test("A11 A14 B2 C12 into the database it was made of: statements see it, the bookmark undoes it", async () => {
    using db = await Database.open({ name: "shop" });
    const store = memoryStore();
    db.exec(tableSql("a", 300));
    const count = db.prepare("SELECT count(*) AS n FROM a");
    const { bookmark } = await db.backup({ store });
    const before = contentOf(db);
    db.exec("DELETE FROM a WHERE id > 10; CREATE TABLE later (x)");
    const backups = pagemark(db, { store });
    const { undo } = await backups.restore({ at: bookmark });
    expect([count.get(), contentOf(db)]).toEqual([{ n: 300 }, before]);
    expect(codeOf(() => db.exec("SELECT * FROM later"))).toBe("SQL_ERROR");
    await backups.restore({ at: undo ?? "" });
    expect(count.get()).toEqual({ n: 10 });
    expect([db.check().ok, column(db, "SELECT count(*) FROM later")]).toEqual([true, [0]]);
  });

  test("B2 C6 into a new database and into a file, each as it was", async () => {
    using db = await Database.open({ name: "shop" });
    const store = memoryStore();
    db.exec(tableSql("a", 300));
    await db.backup({ store });
    const image = db.serialize();
    using other = await Database.open({ name: "other" });
    await pagemark(other, { store, name: "shop" }).restore();
    expect(contentOf(other)).toBe(contentOf(db));

    const path = join(folder, "restored.db");
    await pagemark(file(path), { store, name: "shop" }).restore();
    expect(existsSync(path)).toBe(true);
    expect(Buffer.compare(readFileSync(path), image)).toBe(0);
    const native = new DatabaseSync(path, { readOnly: true });
    expect(native.prepare("SELECT count(*) AS n FROM a").get()).toEqual({ n: 300 });
    native.close();
  });

  test("is refused while a transaction is open, and changes nothing", async () => {
    using db = await Database.open({ name: "shop" });
    const store = memoryStore();
    db.exec(tableSql("a", 30));
    await db.backup({ store });
    db.exec("BEGIN; DELETE FROM a");
    await expect(pagemark(db, { store }).restore()).rejects.toMatchObject({ code: "ENGINE_BUSY" });
    db.exec("COMMIT");
    expect(column(db, "SELECT count(*) FROM a")).toEqual([0]);
  });
});

describe("A3 C1 while a writer commits 1,000 transactions", () => {
  const COMMITS = 1000;

  /** Commits in slices, between which everyone else has a turn, and notes each state's digest. */
  function writer(db: Database) {
    const change = db.prepare("UPDATE a SET note = ?1, payload = randomblob(100) WHERE id % 61 = ?1 % 61");
    const insert = db.prepare("INSERT INTO a (note, payload) VALUES (?, randomblob(300))");
    const states = new Map<string, number>();
    let longest = 0;
    return {
      states,
      get longest() {
        return longest;
      },
      async run() {
        for (let n = 0; n < COMMITS; n++) {
          const start = performance.now();
          db.transaction(() => {
            change.run(n);
            if (n % 3 === 0) insert.run(n);
          });
          longest = Math.max(longest, performance.now() - start);
          states.set(digest(db.serialize()), n);
          if (n % 5 === 4) await turn();
        }
      },
    };
  }

  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

  test("pinned, a dump and a backup are of the pin; history goes when they end", async () => {
    const { db, store } = await watchedDatabase();
    using _ = db;
    db.exec(tableSql("a", 600));
    const pinned = db.serialize();
    const quiet = await textOf(await db.dump());
    const hold = db.hold({ leaseMs: 600_000 });
    const moment = await db.pin();
    const dump = await db.dump();
    const writing = writer(db);
    const backups = memoryStore();
    let mostKept = 0;

    const reading = async () => {
      const decoder = new TextDecoder();
      const reader = dump.getReader({ mode: "byob" });
      let sql = "";
      for (let buffer = new ArrayBuffer(512); ; ) {
        const { done, value } = await reader.read(new Uint8Array(buffer));
        if (!value || done) return sql;
        sql += decoder.decode(value, { stream: true });
        buffer = value.buffer;
        mostKept = Math.max(mostKept, store.size);
        await turn();
      }
    };
    const source = { name: db.name, pin: async () => moment };
    const backingUp = pagemark(source, { store: backups }).backup();
    const [sql] = await Promise.all([reading(), backingUp, writing.run()]);

    expect(sql).toBe(quiet);
    const image = await bytesOf(await pagemark(source, { store: backups }).download());
    expect(Buffer.compare(image, pinned)).toBe(0);
    expect(mostKept).toBeGreaterThan(pinned.length);
    hold.release();
    const { pageCount = 0, pageSize = 0 } = db.states().at(-1) ?? {};
    expect([store.size, store.commits.length]).toEqual([pageCount * pageSize, 1]);
    // No commit waited for a reader: the slowest of them is one that did more, not one that slept.
    expect(writing.longest).toBeLessThan(500);
    expect(db.check().ok).toBe(true);
  });

  test("each of the backups and dumps that are made meanwhile is one of the states", async () => {
    using db = await Database.open({ name: "busy" });
    db.exec(tableSql("a", 400));
    const writing = writer(db);
    writing.states.set(digest(db.serialize()), -1);
    const store = memoryStore();
    let isWriting = true;
    const backingUp = async () => {
      const bookmarks: string[] = [];
      while (isWriting) {
        bookmarks.push((await db.backup({ store })).bookmark);
        // Each of them is restored in the end.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return bookmarks;
    };
    const running = writing.run().finally(() => {
      isWriting = false;
    });
    const [bookmarks] = await Promise.all([backingUp(), running]);
    expect(bookmarks.length).toBeGreaterThan(2);
    const seen: number[] = [];
    for (const bookmark of bookmarks) {
      const image = await bytesOf(await pagemark(db, { store }).download(bookmark));
      const state = writing.states.get(digest(image));
      expect(state).toBeDefined();
      seen.push(state ?? 0);
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(db.states()).toHaveLength(1);
  });

  test("of a dump that nobody reads to its end nothing is kept once it is canceled", async () => {
    const { db, store } = await watchedDatabase();
    using _ = db;
    db.exec(tableSql("a", 600));
    const dump = await db.dump();
    const reader = dump.getReader();
    await reader.read();
    await writer(db).run();
    expect(store.commits.length).toBeGreaterThan(1);
    await reader.cancel();
    const { pageCount = 0, pageSize = 0 } = db.states().at(-1) ?? {};
    expect([store.size, store.commits.length]).toEqual([pageCount * pageSize, 1]);
  });
});
