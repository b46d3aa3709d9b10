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

/** As `exportFile` does it, but piece by piece. */
export function exported() {
  return timed(async () => {
    const handle = await (await navigator.storage.getDirectory()).getFileHandle("out.db", { create: true });
    const access = await handle.createSyncAccessHandle();
    access.truncate(0);
    let at = 0;
    for await (const chunk of await database().export()) at += access.write(chunk, { at });
    access.flush();
    access.close();
  });
}

export function copy() {
  return timed(async () => {
    const moment = await pagemark.opfs("app.db", { pool: ".opfs-sahpool" }).pin();
    let page = 1;
    const most = (1 << 20) / moment.pageSize;
    const body = new ReadableStream(
      {
        async pull(controller) {
          const count = Math.min(most, moment.pageCount - page + 1);
          if (count <= 0) {
            await moment.release();
            return controller.close();
          }
          const bytes = new Uint8Array(count * moment.pageSize);
          await moment.read(page, bytes);
          page += count;
          controller.enqueue(bytes);
        },
      },
      { highWaterMark: 0 },
    );
    await pagemark.opfs("copied.db").replace(body);
  });
}

const database = () =>
  pagemark.pagemark(pagemark.opfs("app.db", { pool: ".opfs-sahpool" }), {
    store: pagemark.opfsStore("backups"),
    name: "app",
  });

export async function backup() {
  let kind = "";
  const ms = await timed(async () => {
    ({ kind } = await database().backup());
  });
  return { ms, kind };
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
