// The libraries, each as what opens a database, runs SQL in it and closes it. All but SQLocal run in a worker.
let opened;
let writing;

/** Opens the database at `path` by a library; later calls are of it. */
export async function open(library, path, options = {}) {
  opened = await openers[library](path, options);
}

export async function exec(sql) {
  return opened.exec(sql);
}

export async function close() {
  await opened.close();
}

/** Rows as arrays of values. */
export async function rows(sql) {
  return opened.rows(sql);
}

const ACCOUNTS = 100;

/** Makes the bank: the sum of its balances never changes, and each transfer has a row. */
export async function makeBank({ padding = 200, rows: count = 2000, pragmas = "" } = {}) {
  await opened.exec(`${pragmas};
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    CREATE TABLE transfers (id INTEGER PRIMARY KEY, amount INTEGER, note BLOB);
    CREATE TABLE state (transfers INTEGER);
    CREATE INDEX amounts ON transfers (amount);
    BEGIN IMMEDIATE;
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ACCOUNTS})
      INSERT INTO accounts SELECT i, 1000 FROM n;
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
      INSERT INTO transfers SELECT i, 0, randomblob(${padding}) FROM n;
    INSERT INTO state VALUES (${count});
    COMMIT`);
}

async function transfer() {
  const [from, to, amount] = [1, 2, 3].map(() => 1 + Math.floor(Math.random() * ACCOUNTS));
  await opened.exec(`BEGIN IMMEDIATE;
    UPDATE accounts SET balance = balance - ${amount} WHERE id = ${from};
    INSERT INTO transfers (amount, note) VALUES (${amount}, randomblob(300));
    UPDATE transfers SET note = randomblob(200) WHERE id % 97 = ${amount % 97};
    UPDATE accounts SET balance = balance + ${amount} WHERE id = ${to};
    UPDATE state SET transfers = transfers + 1;
    COMMIT`);
}

/** Makes transfers until {@link stop}, with a pause of `pauseMs` between two. */
export function start(pauseMs) {
  writing = { go: true, done: 0, busy: 0 };
  writing.ended = (async () => {
    while (writing.go) {
      try {
        await transfer();
        writing.done++;
      } catch (error) {
        if (!/busy|locked/i.test(String(error?.message ?? error)) && error?.code !== 5) throw error;
        writing.busy++;
        await opened.exec("ROLLBACK").catch(() => {});
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
}

/** How many transfers were made, and how often the database was locked. */
export async function stop() {
  writing.go = false;
  await writing.ended;
  const { done, busy } = writing;
  return { done, busy };
}

async function sqliteWasm() {
  const { default: init } = await import("/npm/@sqlite.org/sqlite-wasm/dist/index.mjs");
  return init({ print() {}, printErr() {} });
}

function official(db, more = {}) {
  return {
    db,
    exec: async (sql) => db.exec(sql),
    rows: async (sql) => db.exec({ sql, rowMode: "array", returnValue: "resultRows" }),
    close: async () => db.close(),
    ...more,
  };
}

async function waSqlite(vfsName, path, { build = "wa-sqlite", vfs: name = vfsName, options } = {}) {
  const base = "/npm/@journeyapps/wa-sqlite";
  const { default: moduleFactory } = await import(`${base}/dist/${build}.mjs`);
  const api = await import(`${base}/src/sqlite-api.js`);
  const { [vfsName]: Vfs } = await import(`${base}/src/examples/${vfsName}.js`);
  const module = await moduleFactory();
  const sqlite3 = api.Factory(module);
  const vfs = await Vfs.create(name, module, options);
  sqlite3.vfs_register(vfs, true);
  const db = await sqlite3.open_v2(path);
  return {
    exec: async (sql) => {
      await sqlite3.exec(db, sql);
    },
    rows: async (sql) => {
      const rows = [];
      await sqlite3.exec(db, sql, (row) => rows.push([...row]));
      return rows;
    },
    close: async () => {
      await sqlite3.close(db);
      await vfs.close?.();
    },
  };
}

const openers = {
  async opfs(path) {
    const sqlite3 = await sqliteWasm();
    return official(new sqlite3.oo1.OpfsDb(path), { sqlite3 });
  },
  async "opfs-wl"(path) {
    const sqlite3 = await sqliteWasm();
    return official(new sqlite3.oo1.DB({ filename: path, vfs: "opfs-wl" }), { sqlite3 });
  },
  async sahpool(path, options) {
    const sqlite3 = await sqliteWasm();
    const pool = await sqlite3.installOpfsSAHPoolVfs(options);
    return official(new pool.OpfsSAHPoolDb(path), { sqlite3, pool });
  },
  async memory() {
    const sqlite3 = await sqliteWasm();
    return official(new sqlite3.oo1.DB(":memory:"), { sqlite3 });
  },
  OPFSCoopSyncVFS: (path) => waSqlite("OPFSCoopSyncVFS", path),
  OPFSAdaptiveVFS: (path) => waSqlite("OPFSAdaptiveVFS", path, { build: "wa-sqlite-async" }),
  OPFSAnyContextVFS: (path) => waSqlite("OPFSAnyContextVFS", path, { build: "wa-sqlite-async" }),
  OPFSWriteAheadVFS: (path) => waSqlite("OPFSWriteAheadVFS", path),
  AccessHandlePoolVFS: (path, { vfs = "wa-pool" } = {}) => waSqlite("AccessHandlePoolVFS", path, { vfs }),
  IDBBatchAtomicVFS: (path, { vfs = "wa-idb" } = {}) =>
    waSqlite("IDBBatchAtomicVFS", path, { build: "wa-sqlite-async", vfs }),
  async sqlocal(path) {
    const { SQLocal } = await import("/sqlocal/index.js");
    const { sql, batch, destroy } = new SQLocal(path);
    const split = (text) => text.split(/;\s*(?=\n|$)|;\s+(?=[A-Z])/).filter((each) => /\S/.test(each));
    return {
      exec: async (text) => {
        const parts = split(text).filter((each) => !/^\s*(BEGIN|COMMIT|ROLLBACK)/.test(each));
        await batch(() => parts.map((each) => ({ sql: each, params: [] })));
      },
      rows: async (text) => (await sql(text)).map((row) => Object.values(row)),
      close: () => destroy(),
    };
  },
};

/** For what needs the library itself. */
export function current() {
  return opened;
}
