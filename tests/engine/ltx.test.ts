// Every commit, backed up: what the LTX files give is the database, byte for byte.
import { memoryStore, pagemark } from "pagemark";
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";

/** mulberry32. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

/** A statement that changes something, mostly. */
function statement(random: (bound: number) => number): string {
  const table = `t${random(4)}`;
  const kinds = [
    () => `CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY, a, b)`,
    () => `CREATE INDEX IF NOT EXISTS ${table}_a ON ${table} (a)`,
    () => `DROP TABLE IF EXISTS ${table}`,
    () => `PRAGMA page_size = ${512 << random(5)}; VACUUM`,
    () => `PRAGMA auto_vacuum = ${random(3)}; VACUUM`,
    () => `DELETE FROM ${table} WHERE id % ${1 + random(9)} = 0`,
    () =>
      `UPDATE ${table} SET a = ${random(1000)}, b = randomblob(${random(3000)}) WHERE id % ${2 + random(20)} = 0`,
    () => `BEGIN; DELETE FROM ${table}; ROLLBACK; INSERT INTO ${table} (a) VALUES (1)`,
  ];
  const insert = () =>
    `INSERT INTO ${table} (a, b) SELECT value, randomblob(${random(2000)}) FROM json_each('[1,2,3,4,5,6,7]')`;
  return (kinds[random(kinds.length * 2)] ?? insert)();
}

test("B12 after every commit the LTX files give what serialize() gives", async () => {
  const random = generator(5);
  using db = await Database.open({ name: "ltx" });
  db.exec("CREATE TABLE t0 (id INTEGER PRIMARY KEY, a, b)");
  const store = memoryStore();
  let [commits, incrementals] = [0, 0];
  let bookmark = "";
  while (commits < 150) {
    try {
      db.exec(statement(random));
    } catch {
      // A table that is not there.
      if (db.inTransaction) db.exec("ROLLBACK");
    }
    if (db.bookmark() === bookmark) continue;
    bookmark = db.bookmark();
    commits++;
    const backup = await db.backup({ store });
    if (backup.kind === "incremental") incrementals++;
    const restored = await pagemark(db, { name: "ltx", store }).download();
    const bytes = Buffer.from(
      await new Response(restored as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
    );
    expect(bytes.equals(db.serialize()), `commit ${commits}`).toBe(true);
  }
  expect(incrementals).toBeGreaterThan(75);
}, 60_000);
