// The app's own database: SQLite's official build with a pool of access handles, as an app would use it. It knows nothing of
// Pagemark, which reads the same files from the page.
import init from "@sqlite.org/sqlite-wasm";

const PATH = "/demo.sqlite3";
const WORDS = "amber birch cedar delta ember fjord grove heron inlet juniper kelp larch".split(" ");
const ready = start();
let isWriting = true;

async function start() {
  const sqlite3 = await init({ print() {}, printErr() {} });
  const pool = await sqlite3.installOpfsSAHPoolVfs({ name: "demo", directory: ".demo-pool" });
  const app = { sqlite3, pool, db: new pool.OpfsSAHPoolDb(PATH) };
  app.db.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, at TEXT, text TEXT)");
  if (app.db.selectValue("SELECT count(*) FROM notes") === 0) {
    app.db.exec(`WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
      INSERT INTO notes (at, text) SELECT datetime('now'), hex(randomblob(60)) FROM n`);
  }
  setInterval(() => isWriting && app.db && write(app.db), 250);
  return app;
}

function write(db) {
  const word = () => WORDS[Math.floor(Math.random() * WORDS.length)];
  db.exec({
    sql: "INSERT INTO notes (at, text) VALUES (datetime('now'), ?)",
    bind: [`${word()} ${word()} ${word()}`],
  });
  db.exec({
    sql: "UPDATE notes SET text = ? WHERE id = 1 + abs(random() % 8000)",
    bind: [word().repeat(15)],
  });
}

const RECENT = "SELECT id, at, text FROM notes ORDER BY id DESC LIMIT 5";
const rowsOf = (db) => {
  try {
    return db.exec({ sql: RECENT, rowMode: "array", returnValue: "resultRows" });
  } catch {
    const tables = "SELECT name, type FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' LIMIT 5";
    return db.exec({ sql: tables, rowMode: "array", returnValue: "resultRows" });
  }
};

const calls = {
  async live() {
    const { db } = await ready;
    const [count, pages, size] = ["SELECT count(*) FROM notes", "PRAGMA page_count", "PRAGMA page_size"].map(
      (sql) => {
        try {
          return db.selectValue(sql);
        } catch {
          return undefined;
        }
      },
    );
    return { count, pages, size, rows: rowsOf(db) };
  },
  async write(on) {
    isWriting = on;
  },
  /** The newest rows of a database file. */
  async look(file) {
    const { sqlite3 } = await ready;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const db = new sqlite3.oo1.DB(":memory:");
    const at = sqlite3.wasm.allocFromTypedArray(bytes);
    const flags = sqlite3.capi.SQLITE_DESERIALIZE_FREEONCLOSE | sqlite3.capi.SQLITE_DESERIALIZE_READONLY;
    sqlite3.capi.sqlite3_deserialize(db.pointer, "main", at, bytes.length, bytes.length, flags);
    try {
      return rowsOf(db);
    } finally {
      db.close();
    }
  },
  /** For each page of a database file whether it differs from that of the file before. */
  async differing(pageSize, file, before) {
    const [now, then] = await Promise.all([file, before].map((each) => each?.arrayBuffer()));
    const [words, others] = [now, then ?? new ArrayBuffer()].map((each) => new Uint32Array(each));
    const perPage = pageSize / 4;
    return Array.from({ length: words.length / perPage }, (_, page) => {
      const start = page * perPage;
      return words.subarray(start, start + perPage).some((word, at) => word !== others[start + at]);
    });
  },
  /** Lets go of the pool, so that another file may take the database's place. */
  async pause() {
    const app = await ready;
    app.db.close();
    app.db = undefined;
    app.pool.pauseVfs();
  },
  async resume() {
    const app = await ready;
    await app.pool.unpauseVfs();
    app.db = new app.pool.OpfsSAHPoolDb(PATH);
    app.db.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, at TEXT, text TEXT)");
  },
  async remove() {
    const app = await ready;
    app.db.close();
    await app.pool.removeVfs();
  },
};

globalThis.onmessage = async ({ data: { id, name, args } }) => {
  try {
    postMessage({ id, value: await calls[name](...args) });
  } catch (error) {
    postMessage({ id, error: error?.message ?? String(error) });
  }
};
