// The database the benchmarks run on: orders with notes of words and small random blobs, in WAL mode.
import { statSync } from "node:fs";
import { generator } from "./random.mjs";

process.removeAllListeners("warning"); // node:sqlite is announced as experimental
const { DatabaseSync } = await import("node:sqlite");

/** Makes a database of about `bytes` bytes. The same bytes each time. */
export function makeDatabase(path, bytes) {
  const random = generator(1);
  const words = Array.from({ length: 5000 }, () =>
    random()
      .toString(36)
      .slice(2, 4 + Math.floor(random() * 7)),
  );
  const db = new DatabaseSync(path);
  db.exec(`
    PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, created TEXT, total REAL, note TEXT, payload BLOB);
    CREATE INDEX orders_by_customer ON orders (customer, created);
  `);
  const insert = db.prepare(
    "INSERT INTO orders (customer, created, total, note, payload) VALUES (?, ?, ?, ?, ?)",
  );
  while (statSync(path).size < bytes) {
    db.exec("BEGIN");
    for (let row = 0; row < 20_000; row++) {
      const note = Array.from(
        { length: 5 + Math.floor(random() * 35) },
        () => words[Math.floor(random() * 5000)],
      );
      const payload = Uint8Array.from({ length: Math.floor(random() * 120) }, () =>
        Math.floor(random() * 256),
      );
      const created = new Date(1.7e12 + Math.floor(random() * 3e10)).toISOString();
      insert.run(Math.floor(random() * 100_000), created, random() * 1000, note.join(" "), payload);
    }
    db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  }
  db.close();
}
