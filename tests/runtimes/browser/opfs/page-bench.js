// What `npm run bench:browser` measures, in one worker: each way to get a database out of a pool into a file.
import * as pagemark from "/entry/browser.js";
import { current } from "./page-writers.js";

/** Fills the open database with rows that do not compress, up to so many megabytes. */
export async function fill(megabytes) {
  const { db } = current();
  db.exec(
    "CREATE TABLE files (id INTEGER PRIMARY KEY, body BLOB); CREATE TABLE notes (id INTEGER PRIMARY KEY, text)",
  );
  for (let done = 0; done < megabytes; done++)
    db.exec(
      `WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 256) INSERT INTO files (body) SELECT randomblob(3900) FROM n`,
    );
  return db.selectValue("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
}

/** Changes 100 rows all over the database. */
export function change() {
  const { db } = current();
  db.exec("UPDATE files SET body = randomblob(3900) WHERE id % ((SELECT max(id) FROM files) / 100) = 0");
}

async function timed(work) {
  const started = performance.now();
  await work();
  return Math.round(performance.now() - started);
}

async function fileOf(bytes, name) {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(name, { create: true });
  const access = await handle.createSyncAccessHandle();
  access.truncate(0);
  access.write(bytes, { at: 0 });
  access.flush();
  access.close();
}

export function exportFile() {
  return timed(() => fileOf(current().pool.exportFile("/app.db"), "out.db"));
}

export function serialize() {
  const { sqlite3, db } = current();
  return timed(() => fileOf(sqlite3.capi.sqlite3_js_db_export(db), "out.db"));
}

let background;

async function inBackground() {
  const client = await import("/entry/browser-client.js");
  background ??= client.inBackground("app.db", { pool: ".opfs-sahpool" });
  return background;
}

export async function savedInBackground() {
  const db = await inBackground();
  const handle = await (await navigator.storage.getDirectory()).getFileHandle("saved.db", { create: true });
  return timed(() => db.saveAs(handle, { format: "sqlite3" }));
}

export async function backupInBackground() {
  const db = await inBackground();
  let kind = "";
  const ms = await timed(async () => {
    ({ kind } = await db.backup());
  });
  return { ms, kind };
}

let longest = 0;

export function watchTasks() {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, Math.round(duration));
  }).observe({ type: "longtask", buffered: false });
}

/** Of what was longer than 50 ms. */
export function longestTask() {
  return longest;
}

/** Of the copy that {@link savedInBackground} made: SQLocal has its databases in files of their own. */
export async function sqlocal() {
  const { SQLocal } = await import("/sqlocal/index.js");
  const { sql, getDatabaseFile, destroy } = new SQLocal("saved.db");
  await sql("SELECT count(*) FROM notes");
  const ms = await timed(async () => {
    const file = await getDatabaseFile();
    if (file.size < 4096) throw new Error("SQLocal gave nothing");
  });
  await destroy();
  return ms;
}

let source;

/** The same by the connection, whose writes are seen from the first call on. */
export async function backupConnection() {
  const { db, sqlite3 } = current();
  source ??= pagemark.sqliteWasm(db, sqlite3);
  let kind = "";
  const ms = await timed(async () => {
    const store = pagemark.opfsStore("backups-of-connection");
    ({ kind } = await pagemark.pagemark(source, { store, name: "app" }).backup());
  });
  return { ms, kind };
}
