// A store in one SQLite file: the example of docs/adding-a-store.md.
import { DatabaseSync } from "node:sqlite";
import { ObjectMissingError, type Store, type StoredObject, storeFrom } from "pagemark";

/** In bytes. Objects are cut into pieces, so that memory stays small however large they are. */
const PIECE = 256 * 1024;
/** In milliseconds: pieces that no object has by then are left by a process that ended. */
const ABANDONED = 24 * 3600 * 1000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, id TEXT, size INTEGER, modified INTEGER) STRICT;
  CREATE TABLE IF NOT EXISTS pieces (id TEXT, start INTEGER, bytes BLOB, PRIMARY KEY (id, start)) STRICT;
  CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON objects BEGIN DELETE FROM pieces WHERE id = old.id; END`;

interface Found extends StoredObject {
  /** Of its pieces: the time of the put, and what no other put has. */
  id: string;
}

export function makeStore(path: string): Store {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${SCHEMA}`);
  const abandoned = "DELETE FROM pieces WHERE id < ? AND id NOT IN (SELECT id FROM objects)";
  db.prepare(abandoned).run(String(Date.now() - ABANDONED));
  const found = (row: object) =>
    ({ ...row, modified: new Date((row as { modified: number }).modified) }) as Found;

  return storeFrom<Found>({
    layout: "folder",
    description: `the SQLite file ${path}`,

    async put(key, chunks, modified) {
      const id = `${Date.now()}-${crypto.randomUUID()}`;
      let isStored = false;
      let size = 0;
      try {
        for await (const chunk of chunks) {
          for (let at = 0; at < chunk.length; at += PIECE) {
            const piece = chunk.subarray(at, at + PIECE);
            db.prepare("INSERT INTO pieces VALUES (?, ?, ?)").run(id, size + at, piece);
          }
          size += chunk.length;
        }
        // From here on it is an object: one statement, which a crash leaves done or not begun.
        const insert = db.prepare("INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
        isStored = insert.run(key, id, size, modified.getTime()).changes > 0;
      } finally {
        if (!isStored) db.prepare("DELETE FROM pieces WHERE id = ?").run(id);
      }
      return isStored;
    },

    async find(key) {
      const row = db.prepare("SELECT * FROM objects WHERE key = ?").get(key);
      return row && found(row);
    },

    async *read({ key, id }, start, end) {
      const select = db.prepare(
        "SELECT start, bytes FROM pieces WHERE id = ? AND start <= ? ORDER BY 1 DESC LIMIT 1",
      );
      for (let at = start; at < end; ) {
        const piece = select.get(id, at) as { start: number; bytes: Uint8Array } | undefined;
        if (!piece) throw new ObjectMissingError(key); // it was deleted meanwhile
        const wanted = piece.bytes.subarray(at - piece.start, end - piece.start);
        at += wanted.length;
        yield wanted;
      }
    },

    async list(prefix, after, limit) {
      const begins = "key >= ?1 AND substr(key, 1, length(?1)) = ?1";
      const select = db.prepare(`SELECT * FROM objects WHERE ${begins} AND key > ?2 ORDER BY key LIMIT ?3`);
      return select.all(prefix, after, limit).map(found);
    },

    async delete(key) {
      db.prepare("DELETE FROM objects WHERE key = ?").run(key);
    },
  });
}
