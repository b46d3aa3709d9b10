// Writes of all kinds through one connection, after each a backup that reads what was seen to be written only.
import * as pagemark from "/entry/browser.js";
import { current, open } from "./page-writers.js";

const PIECES = [
  "INSERT INTO t (body) SELECT randomblob(abs(random() % 900)) FROM t LIMIT 40",
  "UPDATE t SET body = randomblob(300) WHERE id % 11 = abs(random() % 11)",
  "DELETE FROM t WHERE id % 7 = abs(random() % 7)",
  // More than the cache holds is written before it is rolled back.
  "BEGIN; UPDATE t SET body = randomblob(800); ROLLBACK",
  "VACUUM",
  "PRAGMA incremental_vacuum",
  // Pages that are free again before they were ever written.
  "BEGIN; CREATE TABLE u (body); INSERT INTO u SELECT zeroblob(900) FROM t; DROP TABLE u; INSERT INTO t (body) SELECT zeroblob(900) FROM t LIMIT 90; COMMIT",
  "CREATE INDEX IF NOT EXISTS i ON t (body); DROP INDEX IF EXISTS j",
  "CREATE INDEX IF NOT EXISTS j ON t (body); DROP INDEX IF EXISTS i",
  "PRAGMA user_version = 7",
  "PRAGMA journal_mode = persist",
  "PRAGMA locking_mode = exclusive; INSERT INTO t (body) VALUES ('alone'); INSERT INTO t (body) VALUES ('alone, too')",
  "PRAGMA locking_mode = normal; SELECT count(*) FROM t",
  "PRAGMA page_size = 1024; VACUUM",
  "PRAGMA page_size = 8192; VACUUM",
  "SELECT 1",
];

async function same(db, expected) {
  const bytes = new Uint8Array(await new Response(await db.download()).arrayBuffer());
  return bytes.length === expected.length && bytes.every((byte, at) => byte === expected[at]);
}

/** Gives the writes after which a backup was not the database, and how many were of pages seen alone. */
export async function seen(rounds) {
  await open("sahpool", "/seen.db");
  const { db: connection, sqlite3, pool } = current();
  connection.exec(
    "PRAGMA auto_vacuum = incremental; PRAGMA cache_size = 10; CREATE TABLE t (id INTEGER PRIMARY KEY, body)",
  );
  connection.exec(
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO t (body) SELECT randomblob(500) FROM n",
  );
  const source = pagemark.sqliteWasm(connection, sqlite3);
  const db = pagemark.pagemark(source, { store: pagemark.memoryStore(), name: "app" });
  const other = new pool.OpfsSAHPoolDb("/seen.db");
  const wrong = [];
  let told = 0;
  let mark;
  for (let round = 0; round < rounds; round++) {
    const piece = round < PIECES.length ? round : Math.floor(Math.random() * PIECES.length);
    const isOthers = round % 10 === 9 && !PIECES[piece].includes("exclusive");
    try {
      (isOthers ? other : connection).exec(PIECES[piece]);
    } catch (error) {
      if (!/locked|busy/i.test(error.message)) throw error;
    }
    const moment = await source.pin({ since: mark });
    if (moment.changed) told++;
    mark = moment.mark;
    await moment.release();
    const expected = pool.exportFile("/seen.db");
    await db.backup();
    if (!(await same(db, expected))) wrong.push(PIECES[piece]);
  }
  other.close();
  connection.close();
  return { wrong, told };
}

/** Holds a moment while the connection writes; whether all of it was of one state. */
export async function heldWhileWritten() {
  await open("sahpool", "/held.db");
  const { db: connection, sqlite3, pool } = current();
  connection.exec("PRAGMA cache_size = 10; CREATE TABLE t (id INTEGER PRIMARY KEY, body)");
  connection.exec(
    "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t (body) SELECT randomblob(700) FROM n",
  );
  const expected = pool.exportFile("/held.db");
  const moment = await pagemark.sqliteWasm(connection, sqlite3).pin();
  const found = new Uint8Array(moment.pageCount * moment.pageSize);
  const many = 8 * moment.pageSize;
  for (let at = 0; at < found.length; at += many) {
    connection.exec(`UPDATE t SET body = randomblob(700) WHERE id % 50 = ${(at / many) % 50}`);
    if (at === 3 * many) connection.exec("DELETE FROM t WHERE id > 3000; VACUUM");
    await moment.read(1 + at / moment.pageSize, found.subarray(at, at + many));
  }
  await moment.release();
  connection.close();
  return { taken: moment.taken, isSame: found.every((byte, at) => byte === expected[at]) };
}

/** Closes and opens the database between two backups: what was written since is found where the files say so. */
export async function acrossConnections() {
  const kinds = [];
  let mark;
  for (const sql of ["INSERT INTO t VALUES (1)", "SELECT 1", "INSERT INTO t VALUES (2)"]) {
    await open("sahpool", "/across.db");
    const { db: connection, sqlite3, pool } = current();
    if (mark === undefined) connection.exec("CREATE TABLE t (body)");
    const source = pagemark.sqliteWasm(connection, sqlite3);
    await (await source.pin()).release();
    connection.exec(sql);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const moment = await source.pin({ since: mark });
    kinds.push(moment.changed ? [...moment.changed] : "unknown");
    mark = moment.mark;
    await moment.release();
    connection.close();
    pool.pauseVfs();
  }
  return kinds;
}
