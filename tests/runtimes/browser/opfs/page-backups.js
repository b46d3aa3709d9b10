// Pagemark, as a page or a worker uses it.
import * as pagemark from "/entry/browser.js";
import { memoryStore } from "/stores/memory/memory.js";

const stores = new Map();

export async function nothing() {}

function storeOf(name) {
  if (!stores.has(name)) stores.set(name, memoryStore());
  return stores.get(name);
}

/** Backs up the database at `path`, and gives what a restore would write, base64. */
export function backUp(path, options, { store = path } = {}) {
  return backedUp(pagemark.opfs(path, options), store);
}

/** The same of a database of wa-sqlite in IndexedDB. */
export function backUpIndexedDb(path) {
  return backedUp(pagemark.indexedDb(path), path);
}

async function backedUp(source, store) {
  const started = performance.now();
  const db = pagemark.pagemark(source, { store: storeOf(store), name: "app" });
  const { kind, warnings, taken } = await db.backup();
  const ms = performance.now() - started;
  const bytes = new Uint8Array(await new Response(await db.download()).arrayBuffer());
  return { kind, warnings, taken, ms, base64: toBase64(bytes) };
}

/** The code of the error that a backup ends with. */
export async function failure(path, options) {
  try {
    await backUp(path, options, { store: crypto.randomUUID() });
    return "none";
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

function toBase64(bytes) {
  return bytes.toBase64
    ? bytes.toBase64()
    : btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function fromBase64(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** Writes a file into the origin's private files. */
export async function writeFile(path, base64) {
  const folders = path.split("/");
  const name = folders.pop();
  let folder = await navigator.storage.getDirectory();
  for (const each of folders) folder = await folder.getDirectoryHandle(each, { create: true });
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  await writable.write(fromBase64(base64));
  await writable.close();
}

/** Every file of the origin, with its size. */
export async function files(folder, path = "") {
  folder ??= await navigator.storage.getDirectory();
  const found = {};
  for await (const entry of folder.values()) {
    if (entry.kind === "file") found[path + entry.name] = (await entry.getFile()).size;
    else Object.assign(found, await files(entry, `${path}${entry.name}/`));
  }
  return found;
}

/** Backs up in the background, twice, and tries to put a file in the place of a database in IndexedDB. */
export async function replaceIndexedDb(path) {
  const { inBackground } = await import("/entry/browser-client.js");
  const db = inBackground(path, { indexedDb: true });
  await db.backup();
  const { kind } = await db.backup();
  const code = await db.replace(await db.asBlob()).catch((error) => error.code);
  db.close();
  return [kind, code];
}

/** Removes all that the origin has. */
export async function clear() {
  for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
  const folder = await navigator.storage.getDirectory();
  for await (const name of folder.keys()) await folder.removeEntry(name, { recursive: true });
}

/** Writes a file of its own at `path`, or a slot of a pool that begins with a header of 4,096 bytes. */
async function put(path, bytes, start) {
  const folders = path.split("/");
  const name = folders.pop();
  let folder = await navigator.storage.getDirectory();
  for (const each of folders) folder = await folder.getDirectoryHandle(each, { create: true });
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  if (start) await writable.write(start);
  await writable.write(bytes);
  await writable.close();
}

let vfs;

/** Has wa-sqlite's VFS write a database, as SQLite has it write one. */
async function putInIndexedDb(path, bytes) {
  const { IDBBatchAtomicVFS } = await import("/npm/@journeyapps/wa-sqlite/src/examples/IDBBatchAtomicVFS.js");
  const { SQLITE_FCNTL_SYNC, SQLITE_OPEN_CREATE, SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_READWRITE } = await import(
    "/npm/@journeyapps/wa-sqlite/src/sqlite-constants.js"
  );
  vfs ??= await IDBBatchAtomicVFS.create("suite", {});
  const flags = SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE;
  await vfs.jOpen(path, 1, flags, new DataView(new ArrayBuffer(8)));
  const size = bytes.length > 18 ? new DataView(bytes.buffer).getUint16(16) : 0;
  const pageSize = size === 1 ? 65536 : size || 4096;
  for (let at = 0; at < bytes.length; at += pageSize) vfs.jWrite(1, bytes.subarray(at, at + pageSize), at);
  await vfs.jFileControl(1, SQLITE_FCNTL_SYNC, new DataView(new ArrayBuffer(8)));
  await vfs.jSync(1, 0);
  await vfs.jClose(1);
}

/** Runs the suite for sources, here; gives the titles of what failed, and why. */
export async function sourceContract(kind) {
  const { sourceCases } = await import("/tests/contracts/source-cases/index.ts");
  const { headerLike } = await import("/sources/opfs/pool.js");
  const failures = [];
  for (const [index, [title, image, run]] of sourceCases.entries()) {
    const name = `${kind}-${index}.db`;
    const isInside = kind === "IndexedDB";
    const start = kind === "pool" ? headerLike(undefined, `/${name}`) : undefined;
    if (isInside) await putInIndexedDb(name, image());
    else await put(kind === "pool" ? `.pool-${index}/.opaque/slot` : name, image(), start);
    try {
      await run(isInside ? pagemark.indexedDb(name) : pagemark.opfs(name, { busyTimeoutMs: 500 }), image());
    } catch (error) {
      failures.push(`${title}: ${error.message}`);
    }
  }
  return { count: sourceCases.length, failures };
}

/** What `memory(file)` says of a file that is written while it is read, as it says it. */
export async function memoryOfLiveFile(path) {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(path);
  const moment = await pagemark.memory(await handle.getFile(), { name: path }).pin();
  const page = new Uint8Array(moment.pageSize);
  try {
    await moment.read(1, page);
    const access = await handle.createSyncAccessHandle();
    // Between two reads another commits: page 1 with the next change counter, and one that was not read yet.
    page[27] += 1;
    access.write(page, { at: 0 });
    access.write(new Uint8Array(moment.pageSize).fill(7), { at: moment.pageSize });
    access.close();
    await moment.read(2, page);
    await moment.release();
    return "nothing";
  } catch (error) {
    return error.code;
  }
}

/** Runs the suite for stores, here; gives the titles of what failed, and why. */
export async function storeContract(kind, isSlow) {
  const { storeCases } = await import("/tests/contracts/store-cases/index.ts");
  const root = await navigator.storage.getDirectory();
  const cases = storeCases({ keepsModified: false, isSlow });
  const failures = [];
  for (const [index, [title, run]] of cases.entries()) {
    const name = `store-${index}`;
    const folder = () => root.getDirectoryHandle(name, { create: true });
    const store =
      kind === "private" ? pagemark.opfsStore(`stores/${name}`) : pagemark.pickedFolder(await folder());
    try {
      await run(store);
    } catch (error) {
      failures.push(`${title}: ${error.message}`);
    }
  }
  return { count: cases.length, failures };
}

/** Says `restored`, or how the work failed. */
async function told(work) {
  try {
    await work();
    return "restored";
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

/** Restores the last backup of the database at `path`. */
export async function restore(path, options) {
  const db = pagemark.pagemark(pagemark.opfs(path, options), { store: storeOf(path), name: "app" });
  return told(() => db.restore({ safety: false }));
}

/** Puts a database in the place of the one at `path`. */
export async function replace(path, base64, options) {
  const body = new Blob([fromBase64(base64)]).stream();
  return told(() => pagemark.opfs(path, options).replace(body));
}

/** The database at `path` as it is read, base64. */
export async function bytesOf(path, options) {
  const moment = await pagemark.opfs(path, options).pin();
  const bytes = new Uint8Array(moment.pageCount * moment.pageSize);
  await moment.read(1, bytes);
  await moment.release();
  return toBase64(bytes);
}

/** Backs up the database that `page-writers.js` has open, by the connection itself. */
export async function backUpConnection({ store = "connection" } = {}) {
  const { current } = await import("./page-writers.js");
  const { db: connection, sqlite3 } = current();
  const db = pagemark.pagemark(pagemark.sqliteWasm(connection, sqlite3), {
    store: storeOf(store),
    name: "app",
  });
  const { kind, taken } = await db.backup();
  const bytes = new Uint8Array(await new Response(await db.download()).arrayBuffer());
  return { kind, taken, base64: toBase64(bytes) };
}

/** The code of the error with which that ends. */
export async function connectionFailure() {
  try {
    await backUpConnection({ store: crypto.randomUUID() });
    return "none";
  } catch (error) {
    return error.code;
  }
}

/** Backs up a file by its handle, as a picker gives it, and puts `base64` in its place; gives what it then holds. */
export async function pickedFile(path, base64) {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(path);
  const source = pagemark.picked(handle);
  const before = await imageOf(source);
  const result = await told(() => source.replace(new Blob([fromBase64(base64)]).stream()));
  return { name: source.name, before, result, after: await imageOf(source) };
}

/** How backups end that are aborted while they read, and those of a file that is gone. */
export async function endings(path) {
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle(path);
  const file = await handle.getFile();
  const ending = (source, options) =>
    pagemark
      .pagemark(source, { store: memoryStore() })
      .backup(options)
      .then(
        () => "none",
        ({ code, name }) => (typeof code === "string" ? code : name),
      );
  const stop = new AbortController();
  const aborted = ending(pagemark.opfs(path), { signal: stop.signal });
  setTimeout(() => stop.abort());
  const endings = [await aborted];
  await folder.removeEntry(path);
  return [...endings, await ending(pagemark.picked(handle)), await ending(pagemark.memory(file))];
}

async function imageOf(source) {
  const moment = await source.pin();
  const bytes = new Uint8Array(moment.pageCount * moment.pageSize);
  await moment.read(1, bytes);
  await moment.release();
  return toBase64(bytes);
}

export async function databases() {
  const found = await pagemark.opfsDatabases();
  return found.map(({ tables, ...rest }) => ({ ...rest, tables: tables?.map(({ name }) => name) }));
}

export async function storage() {
  return pagemark.browserStorage();
}

/** Writes bytes into the file that holds the database of a pool, at an offset of the file. */
export async function scribble(pool, offset, bytes) {
  const { slotsIn } = await import("/sources/opfs/pool.js");
  let folder = await navigator.storage.getDirectory();
  for (const name of pool.split("/")) folder = await folder.getDirectoryHandle(name);
  const slot = (await slotsIn(folder)).find(({ isDatabase }) => isDatabase);
  const writable = await slot.handle.createWritable({ keepExistingData: true });
  await writable.write({ type: "write", position: offset, data: new Uint8Array(bytes) });
  await writable.close();
  return slot.handle.name;
}

const inOpfs = (path) =>
  pagemark.pagemark(pagemark.opfs(path), { store: pagemark.opfsStore("kept"), name: "app" });

/** Backs up into the origin's own files: full, incremental, or how it failed. */
export async function intoOpfs(path) {
  try {
    return (await inOpfs(path).backup()).kind;
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

/** How many problems a verification of the newest of these finds. */
export async function problems() {
  return (await inOpfs("app.db").verify()).problems.length;
}

/** The codes of the errors where the user has taken a file and a folder back, and where a window has no private files. */
export async function denials(path) {
  const root = await navigator.storage.getDirectory();
  const [file, folder] = [
    await root.getFileHandle(path, { create: true }),
    await root.getDirectoryHandle("taken back", { create: true }),
  ];
  const refusing = (name) => async () => {
    throw new DOMException("refused", name);
  };
  for (const name of ["getFile", "createWritable", "createSyncAccessHandle"])
    Object.defineProperty(file, name, { value: refusing("NotAllowedError") });
  for (const name of ["getFileHandle", "getDirectoryHandle"])
    Object.defineProperty(folder, name, { value: refusing("NotAllowedError") });
  const body = () => new Blob([new Uint8Array(5000)]).stream();
  const source = pagemark.picked(file);
  const store = pagemark.pickedFolder(folder);
  const ours = [
    () => source.pin(),
    () => source.replace(body()),
    () => pagemark.saveTo(file, body()),
    () => store.put("a/b", new Uint8Array(3)),
    () => store.get("a/b"),
  ];
  const there = [
    () => pagemark.opfs(path).pin(),
    () => pagemark.opfs(path).replace(body()),
    () => pagemark.opfsStore("other").put("a", new Uint8Array(3)),
    () => pagemark.opfsDatabases(),
  ];
  const code = (work) => work().then(String, (error) => error.code);
  const codes = await Promise.all(ours.map(code));
  const inPrivate = [];
  for (const name of ["SecurityError", "UnknownError"]) {
    Object.defineProperty(navigator.storage, "getDirectory", { value: refusing(name), configurable: true });
    inPrivate.push(...(await Promise.all(there.map(code))));
    delete navigator.storage.getDirectory;
  }
  return { codes, inPrivate: [...new Set(inPrivate)] };
}

/** Backs up twice into a Worker's store, restores from there beside, and is refused with a wrong token: what was stored, and by which codes. */
export async function throughWorker(url, token) {
  const sqlite3 = await (await import("/npm/@sqlite.org/sqlite-wasm/dist/index.mjs")).default();
  const connection = new sqlite3.oo1.DB();
  connection.exec(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, randomblob(5500000))",
  );
  const store = pagemark.http(url, { token });
  const db = pagemark.pagemark(pagemark.sqliteWasm(connection, sqlite3), { store, name: "app" });
  const kinds = [(await db.backup()).kind];
  connection.exec("INSERT INTO t VALUES (2, 'more')");
  kinds.push((await db.backup()).kind);
  const { problems } = await db.verify();
  await pagemark.pagemark(pagemark.opfs("from-worker.db"), { store, name: "app" }).restore();
  const folder = await navigator.storage.getDirectory();
  const back = await (await folder.getFileHandle("from-worker.db")).getFile();
  const stored = new Uint8Array(await new Response(await db.download()).arrayBuffer());
  const found = new Uint8Array(await back.arrayBuffer());
  connection.close();
  const isSame = found.length === stored.length && found.every((byte, at) => byte === stored[at]);
  const wrong = pagemark.http(url, { token: "a guess" });
  const put = () => store.put("other/key", new Uint8Array(1));
  const codes = [];
  for (const call of [() => wrong.list(""), () => store.get("none"), put, put])
    codes.push(
      await call().then(
        () => "done",
        ({ code }) => code,
      ),
    );
  return { kinds, problems, isSame, codes };
}

/** Tries to put damaged databases, and a stream that fails, in the place of one; then restores one that is damaged. */
export async function damagedImports(path) {
  const sqlite3 = await (await import("/npm/@sqlite.org/sqlite-wasm/dist/index.mjs")).default();
  const db = new sqlite3.oo1.DB();
  db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE INDEX tx ON t (x);
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, randomblob(200) FROM n`);
  const sound = sqlite3.capi.sqlite3_js_db_export(db);
  const leafOf = (name) =>
    db.selectValue(`SELECT max(pageno) FROM dbstat WHERE name = '${name}' AND pagetype = 'leaf'`);
  const damaged = (name) => sound.slice().fill(9, (leafOf(name) - 1) * 8192, leafOf(name) * 8192);
  const failing = new ReadableStream({
    start: (controller) => controller.enqueue(sound.slice(0, 65536)),
    pull: (controller) => controller.error(new Error("went")),
  });
  await put(path, sound);
  const tried = async (body) =>
    pagemark
      .opfs(path)
      .replace(body)
      .then(String, ({ code, name, message }) => `${code ?? name}: ${message.split(" (")[0]}`);
  const results = {};
  for (const [what, name] of Object.entries({ table: "t", index: "tx" }))
    results[what] = await tried(new Blob([damaged(name)]).stream());
  results.failing = await tried(failing);
  const isKept = (await imageOf(pagemark.opfs(path))) === toBase64(sound);
  await put("damaged.db", damaged("tx"));
  const store = memoryStore();
  const ofDamaged = pagemark.pagemark(pagemark.opfs("damaged.db"), { store });
  await ofDamaged.backup();
  await ofDamaged.restore({ safety: false });
  const restored = (await imageOf(pagemark.opfs("damaged.db"))) === toBase64(damaged("tx"));
  return { ...results, isKept, restored, left: Object.keys(await files()).length };
}

/** What each call that lists or measures leaves of two scratch files: one of a tab that was closed, and one that is in use. */
export async function leftScratch() {
  const root = await navigator.storage.getDirectory();
  const folder = await (await root.getDirectoryHandle(".pagemark", { create: true })).getDirectoryHandle(
    "scratch",
    {
      create: true,
    },
  );
  const calls = [
    () => pagemark.opfsDatabases(),
    () => pagemark.browserStorage(),
    () => pagemark.opfsStore("backups").list(""),
    () =>
      Array.fromAsync(pagemark.pagemark(pagemark.opfs("a.db"), { store: pagemark.opfsStore("b") }).backups()),
  ];
  const left = [];
  for (const call of calls) {
    for (const name of ["closed", "used"]) await folder.getFileHandle(name, { create: true });
    await navigator.locks.request("pagemark-scratch:used", call);
    left.push((await Array.fromAsync(folder.keys())).join());
  }
  return left;
}

let sqlite;

/** In a worker: the codes with which what needs room for a while, or for ever, ends in an origin without any; `made` where it does not. */
export async function needsRoom() {
  const { LiveDatabase, opfsPages } = await import("/entry/engine.browser.js");
  sqlite ??= await (await import("/npm/@sqlite.org/sqlite-wasm/dist/index.mjs")).default();
  const large = new sqlite.oo1.DB().exec("CREATE TABLE t AS SELECT zeroblob(20000000) AS x");
  const works = [
    () =>
      pagemark.pagemark(pagemark.sqliteWasm(large, sqlite), { store: memoryStore(), name: "app" }).backup(),
    async () => (await LiveDatabase.open({ name: "app", store: opfsPages("app") })).close(),
    () => pagemark.opfs("app.db").replace(new Blob([new Uint8Array(5000)]).stream()),
  ];
  const codes = [];
  for (const work of works)
    codes.push(
      await work().then(
        () => "made",
        (error) => `${error.constructor.name} ${error.code}`,
      ),
    );
  return codes;
}

/** Of the databases that are listed without their tables, the paths; how a wrong option ends. */
export async function withoutTables() {
  const found = await pagemark.opfsDatabases({ tables: false });
  const wrong = await pagemark.opfsDatabases({ tables: "no" }).catch(({ code }) => code);
  return [found.map(({ path, tables }) => [path, tables === undefined]), wrong];
}
