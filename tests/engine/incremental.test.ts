// Incremental backups that rest on what the engine itself knows: the pages that changed, and the database checksum.
import { memory, memoryStore, pagemark, type Store } from "pagemark";
import { Database } from "pagemark/engine";
import { describe, expect, test } from "vitest";
import { tableSql } from "../support/temp.ts";
import { MapStore } from "./map-store.ts";
import { bytesOf } from "./support.ts";

/** Keys that were read, by their ending. */
function watchedStore(): { store: Store; reads: string[] } {
  const store = memoryStore();
  const reads: string[] = [];
  const noting: Store = {
    layout: store.layout,
    description: store.description,
    put: (...args) => store.put(...args),
    get(key, options) {
      reads.push(key.slice(key.lastIndexOf(".")));
      return store.get(key, options);
    },
    head: (...args) => store.head(...args),
    list: (...args) => store.list(...args),
    delete: (...args) => store.delete(...args),
  };
  return { store: noting, reads };
}

async function expectLatest(store: Store, name: string, image: Uint8Array, what: string): Promise<void> {
  const backups = pagemark(memory(image), { name, store });
  const latest = await bytesOf(await backups.download());
  expect(Buffer.compare(latest, image), what).toBe(0);
}

describe("an incremental backup of the engine", () => {
  test("reads no fingerprints, and its bookmark is what a restore proves", async () => {
    const { store, reads } = watchedStore();
    using db = await Database.open({ name: "shop" });
    db.exec(tableSql("a", 2000));
    await db.backup({ store });
    for (const sql of [
      "UPDATE a SET note = 'x' WHERE id % 100 = 1",
      tableSql("b", 500, 900),
      "DROP TABLE b; DELETE FROM a WHERE id > 500; VACUUM",
      "DELETE FROM a",
      tableSql("c", 3000),
    ]) {
      db.exec(sql);
      reads.length = 0;
      const { kind, bookmark } = await db.backup({ store });
      expect([kind, reads.filter((ending) => ending === ".pages")]).toEqual(["incremental", []]);
      expect(bookmark.slice(27, 43)).toBe(db.bookmark().slice(27, 43));
      await expectLatest(store, "shop", db.serialize(), sql);
    }
    expect((await pagemark(db, { store }).verify()).problems).toEqual([]);
  });

  test("goes on from, and is gone on from by, a source that knows nothing of what changed", async () => {
    const [{ store, reads }, pages] = [watchedStore(), new MapStore()];
    const name = "shop";
    let db = await Database.open({ name, store: pages, history: { commits: 5 } });
    db.exec(tableSql("a", 2000));
    const steps: [string, () => Promise<unknown>][] = [
      ["full", () => db.backup({ store })],
      ["told", () => db.backup({ store })],
      ["compared, of a file", () => pagemark(memory(db.serialize()), { name, store }).backup()],
      ["compared, as the mark is not the engine's", () => db.backup({ store })],
      ["told again", () => db.backup({ store })],
      ["full again", () => db.backup({ store, full: true })],
      ["told after that", () => db.backup({ store })],
    ];
    for (const [n, [what, backup]] of steps.entries()) {
      db.exec(`UPDATE a SET note = 'step ${n}' WHERE id % 50 = ${n}; INSERT INTO a (note) VALUES ('more')`);
      reads.length = 0;
      await backup();
      expect(reads.includes(".pages"), what).toBe(what.startsWith("compared"));
      await expectLatest(store, name, db.serialize(), what);
    }
    db.close();
    db = await Database.open({ name, store: pages });
    db.exec("UPDATE a SET note = 'reopened' WHERE id = 9");
    await db.backup({ store });
    await expectLatest(store, name, db.serialize(), "reopened");
    expect((await pagemark(db, { store }).verify()).problems).toEqual([]);
    db.close();
  });

  test("compares every page when the backup before was not of the checksum that the engine knows", async () => {
    const store = memoryStore();
    using db = await Database.open({ name: "shop" });
    db.exec(tableSql("a", 300));
    // As after bits have turned over in a store of pages: the commit says one thing, the pages another.
    const source = (turned: boolean) => ({
      name: "shop",
      async pin(options?: Parameters<Database["pin"]>[0]) {
        const moment = await db.pin(options);
        const read = moment.read.bind(moment);
        const readTurned: typeof read = async (first, into, signal) => {
          await read(first, into, signal);
          const at = (5 - first) * moment.pageSize + 3000;
          if (turned && first <= 5 && at < into.length) into[at] = (into[at] as number) ^ 1;
        };
        return Object.assign(moment, { read: readTurned, readThese: undefined });
      },
    });
    await pagemark(source(true), { store }).backup();
    db.exec("INSERT INTO a (note) VALUES ('more')");
    await pagemark(source(true), { store }).backup();
    const { problems } = await pagemark(db, { store }).verify();
    expect(problems).toEqual([]);
  });
});
