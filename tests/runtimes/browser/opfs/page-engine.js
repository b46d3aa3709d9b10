// A live database of ours in OPFS, for the tests of engine.test.ts.
const { Database, opfsPages } = await import("/entry/engine.browser.js");

let db;

export async function open(path) {
  db = await Database.open({ name: path, store: opfsPages(path), history: { commits: 50 } });
  db.exec(`CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, balance INTEGER, padding);
    CREATE TABLE IF NOT EXISTS transfers (seq INTEGER PRIMARY KEY, note)`);
  if (db.prepare("SELECT count(*) AS n FROM accounts").get().n === 0)
    db.exec(
      "INSERT INTO accounts WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i, 100, zeroblob(300) FROM n",
    );
  return state();
}

/** Whether it is whole, what all accounts have, how many transfers there were, and the number of the last one. */
export function state() {
  const { ok } = db.check();
  const { sum } = db.prepare("SELECT sum(balance) AS sum FROM accounts").get();
  const { count, last } = db
    .prepare("SELECT count(*) AS count, ifnull(max(seq), 0) AS last FROM transfers")
    .get();
  return { ok, sum, count, last };
}

/** Transfers, one a transaction; for ever unless `count` is given. */
export function transfer(count = Number.POSITIVE_INFINITY) {
  const [take, give] = ["-", "+"].map((sign) =>
    db.prepare(`UPDATE accounts SET balance = balance ${sign} ?, padding = randomblob(300) WHERE id = ?`),
  );
  const note = db.prepare("INSERT INTO transfers (note) VALUES (hex(randomblob(20)))");
  for (let n = 0; n < count; n++) {
    db.transaction(() => {
      const amount = Math.floor(Math.random() * 10);
      take.run(amount, 1 + Math.floor(Math.random() * 200));
      give.run(amount, 1 + Math.floor(Math.random() * 200));
      note.run();
    });
  }
  return state();
}

/** Goes back to what was before the last `count` transfers, and forth again; the numbers of transfers there. */
export function travel(count) {
  const states = db.states();
  const undo = db.restore({ at: states.at(-1 - count).txid });
  const then = state();
  db.restore({ at: undo });
  return [then.count, state().count];
}

export function close() {
  db.close();
}

/** Milliseconds for `count` commits of one row, here and in the pool of sqlite-wasm. */
export async function pace(count) {
  const { default: init } = await import("/npm/@sqlite.org/sqlite-wasm/dist/index.mjs");
  const sqlite3 = await init();
  const pool = await sqlite3.installOpfsSAHPoolVfs({ name: "pace" });
  const theirs = new pool.OpfsSAHPoolDb("/pace.db");
  const ours = await Database.open({ name: "pace", store: opfsPages("pace") });
  const times = { ours: [], theirs: [] };
  for (const each of [theirs, ours]) each.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  const insert = ours.prepare("INSERT INTO t (a) VALUES (?)");
  const their = theirs.prepare("INSERT INTO t (a) VALUES (?)");
  for (let round = 0; round < 3; round++) {
    let start = performance.now();
    for (let n = 0; n < count; n++) insert.run("some text that is stored");
    times.ours.push(performance.now() - start);
    start = performance.now();
    for (let n = 0; n < count; n++) their.bind(1, "some text that is stored").stepReset();
    times.theirs.push(performance.now() - start);
  }
  their.finalize();
  theirs.close();
  ours.close();
  return times;
}
