// SQLite in wasm behind one small interface: Pagemark's engine and the packages it is measured beside. Each is used the
// way its own documentation shows for speed, with the same page size, cache and foreign keys.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.mjs";

const CACHE = 16 << 20;
const SETTINGS = `PRAGMA page_size = 4096; PRAGMA cache_size = ${-CACHE / 1024}; PRAGMA foreign_keys = ON`;

/** Each opens a database in memory. `dist` is the folder of the built package. */
export const peers = {
  pagemark: openPagemark,
  "sqlite-wasm": openSqliteWasm,
  "sql.js": openSqlJs,
};

async function openPagemark(dist = join(root, "js/dist")) {
  const { Database } = await import(join(dist, "entry/engine.node.js"));
  const db = await Database.open({ pageSize: 4096, cacheSize: CACHE, foreignKeys: true });
  return {
    db,
    exec: (sql) => db.exec(sql),
    prepare(sql) {
      const statement = db.prepare(sql);
      return {
        run: (...values) => statement.run(...values),
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
      };
    },
    load: (bytes) => db.load(bytes),
    /** Ways to have the database elsewhere; the first full backup of each is made here. */
    async backups(folder) {
      const { folder: folderStore, memoryStore } = await import(join(dist, "entry/node.js"));
      const ways = { "backup to memory": memoryStore(), "backup to files": folderStore(folder) };
      const made = Object.entries(ways).map(async ([name, store]) => {
        await db.backup({ store });
        return [name, () => db.backup({ store })];
      });
      return Object.fromEntries(await Promise.all(made));
    },
  };
}

async function openSqliteWasm() {
  const { default: init } = await import("@sqlite.org/sqlite-wasm");
  const sqlite3 = await init();
  let db = new sqlite3.oo1.DB(":memory:", "c");
  db.exec(SETTINGS);
  return {
    exec: (sql) => db.exec(sql),
    prepare(sql) {
      const statement = db.prepare(sql);
      const bind = (values) => values.length > 0 && statement.bind(values);
      return {
        run(...values) {
          bind(values);
          statement.stepReset();
        },
        get(...values) {
          bind(values);
          const row = statement.step() ? statement.get({}) : undefined;
          statement.reset();
          return row;
        },
        all(...values) {
          bind(values);
          const rows = [];
          while (statement.step()) rows.push(statement.get({}));
          statement.reset();
          return rows;
        },
      };
    },
    async load(bytes) {
      db.close();
      db = new sqlite3.oo1.DB(":memory:", "c");
      const { capi, wasm } = sqlite3;
      const start = wasm.alloc(bytes.length);
      wasm.heap8u().set(bytes, start);
      const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_RESIZEABLE;
      const code = capi.sqlite3_deserialize(db.pointer, "main", start, bytes.length, bytes.length, flags);
      db.checkRc(code);
      db.exec(SETTINGS);
    },
    backups: (folder) => exports(folder, () => sqlite3.capi.sqlite3_js_db_export(db.pointer)),
  };
}

async function openSqlJs() {
  const { default: init } = await import("sql.js");
  const { Database } = await init();
  let db = new Database();
  // Its databases are files in memory; a journal beside them would be one more.
  const settings = `${SETTINGS}; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF`;
  db.run(settings);
  return {
    exec: (sql) => db.run(sql),
    prepare(sql) {
      const statement = db.prepare(sql);
      return {
        run: (...values) => statement.run(values),
        get(...values) {
          statement.bind(values);
          const row = statement.step() ? statement.getAsObject() : undefined;
          statement.reset();
          return row;
        },
        all(...values) {
          statement.bind(values);
          const rows = [];
          while (statement.step()) rows.push(statement.getAsObject());
          statement.reset();
          return rows;
        },
      };
    },
    async load(bytes) {
      db.close();
      db = new Database(bytes);
      db.run(settings);
    },
    backups: (folder) =>
      exports(folder, () => {
        const bytes = db.export();
        // It closed the database to read its file, and opened it anew.
        db.run(settings);
        return bytes;
      }),
  };
}

async function exports(folder, bytes) {
  const file = join(folder, "export.db");
  return { "backup to memory": bytes, "backup to files": () => writeFileSync(file, bytes()) };
}
