// What a run takes its values from: the engine's own memory, as long as they fit there, whoever else runs meanwhile.
import { Database } from "pagemark/engine";
import { expect, test } from "vitest";
import { MapStore, watched } from "./map-store.ts";
import { column, thrownBy } from "./support.ts";

test("values of every length arrive, also while the memory grows", async () => {
  using db = await Database.open();
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)");
  const insert = db.prepare("INSERT INTO t VALUES (?, ?, ?)");
  const lengths = [...Array(600).keys(), 4085, 4086, 4087, 4096, 100_000, 5, 3_000_000, 6];
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251);
  for (const [id, length] of lengths.entries()) {
    insert.run(id, bytes.subarray(0, length), "é".repeat(length % 5000));
  }
  const rows = db.prepare("SELECT id, a, b FROM t ORDER BY id");
  let seen = 0;
  for (const { id, a, b } of rows.iterate()) {
    const length = lengths[id as number] as number;
    if (Buffer.compare(a as Uint8Array, bytes.subarray(0, length)) !== 0) throw new Error(`bytes ${length}`);
    if (b !== "é".repeat(length % 5000)) throw new Error(`text ${length}`);
    seen++;
  }
  expect(seen).toBe(lengths.length);
});

test("bytes are copied, filled and compared right at every length, also where they overlap", async () => {
  using db = await Database.open();
  const check = db.prepare(`SELECT
    hex(substr(?1, 1, ?2)) = substr(hex(?1), 1, 2 * ?2) AS copied,
    hex(zeroblob(?2)) = ?3 AS filled,
    substr(?1, 1, ?2) < substr(?1, 1, ?2) || 'x' AND substr(?1, 1, ?2) || 'a' < substr(?1, 1, ?2) || 'b'
      AND substr(?1, 1, ?2) || x'7f' < CAST(substr(?1, 1, ?2) || x'80' AS TEXT) AS compared`);
  const text = Array.from({ length: 700 }, (_, i) => String.fromCharCode(97 + ((i * 7) % 26))).join("");
  for (let length = 0; length <= 700; length++) {
    expect([length, check.get(text, length, "00".repeat(length))]).toEqual([
      length,
      { copied: 1, filled: 1, compared: 1 },
    ]);
  }
  // Rows of all sizes pushed about within their pages.
  db.exec("CREATE TABLE t (key TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID");
  const insert = db.prepare("INSERT OR REPLACE INTO t VALUES (?, ?)");
  const keys = Array.from({ length: 3000 }, (_, i) => text.slice(0, (i * 37) % 300) + ((i * 7919) % 3001));
  for (const key of keys) insert.run(key, key.length);
  db.prepare("DELETE FROM t WHERE size % 3 = 0").run();
  const kept = keys.filter((key) => key.length % 3 !== 0);
  expect(column(db, "SELECT key FROM t ORDER BY key")).toEqual([...new Set(kept)].sort());
  expect(db.check().ok).toBe(true);
});

test("a run while another one is under way has values of its own", async () => {
  using log = await Database.open();
  log.exec("CREATE TABLE t (a)");
  const note = log.prepare("INSERT INTO t VALUES (?)");
  const store = watched(new MapStore(), {
    before: (method) => {
      if (method === "read" || method === "commit") note.run(`${method} while another run is under way`);
    },
  });
  using db = await Database.open({ store });
  db.exec("CREATE TABLE t (a UNIQUE, b)");
  const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
  for (let i = 0; i < 50; i++) insert.run(`row ${i}`, new Uint8Array(3).fill(i));
  expect(column(db, "SELECT a FROM t ORDER BY rowid")).toEqual(
    Array.from({ length: 50 }, (_, i) => `row ${i}`),
  );
  expect(column(log, "SELECT count(*) > 50 FROM t")).toEqual([1]);
  expect(thrownBy(() => insert.run("row 7", null)).code).toBe("SQL_ERROR");
  expect(insert.run("row 50", null).changes).toBe(1);
});
