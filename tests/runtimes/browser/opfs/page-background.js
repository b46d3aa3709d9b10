// `pagemark/browser` in a page.
import { inBackground } from "/entry/browser-client.js";

/** Backs up in the background, and tells how long the page was kept busy meanwhile, at most. In milliseconds. */
export async function backUp(path) {
  const tasks = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) tasks.push(Math.round(duration));
  });
  const db = inBackground(path);
  // What starting costs is the page's own: the script is loaded by now.
  observer.observe({ type: "longtask", buffered: false });
  let told = 0;
  const { kind } = await db.backup({ onProgress: () => void told++ });
  const listed = (await db.backups()).length;
  const { problems } = await db.verify();
  const all = await new Response(await db.download()).arrayBuffer();
  const now = await new Response(await db.export()).arrayBuffer();
  const [stored, exported] = await Promise.all([all, now].map(sha256));
  const size = exported === stored ? all.byteLength : -1;
  observer.disconnect();
  db.close();
  return { kind, told: told > 0, listed, problems: problems.length, size, longest: Math.max(0, ...tasks) };
}

/** Aborts a backup when it told its first progress, and makes one after all. */
export async function abort(path) {
  const db = inBackground(path, { store: "aborted" });
  const aborter = new AbortController();
  const reason = await db
    .backup({ signal: aborter.signal, onProgress: () => aborter.abort(new Error("stop")) })
    .catch((error) => error.message);
  const none = (await db.backups()).length;
  const { kind } = await db.backup();
  const missing = await inBackground("none.db")
    .backup()
    .catch((error) => [error.constructor.name, error.code]);
  const closing = db.verify().catch((error) => error.code);
  db.close();
  return { reason, none, kind, missing, closed: await closing };
}

/** Fills a file with a database of so many megabytes, that SQLite would open. */
export async function fill(path, megabytes) {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(path, { create: true });
  const writable = await handle.createWritable();
  const pages = megabytes * 256;
  for (let done = 0; done < pages; done += 256) {
    const chunk = new Uint8Array(1 << 20);
    for (let at = 0; at < chunk.length; at += 65536) crypto.getRandomValues(chunk.subarray(at, at + 65536));
    if (done === 0) {
      chunk.fill(0, 0, 4096);
      chunk.set(new TextEncoder().encode("SQLite format 3\0"));
      const view = new DataView(chunk.buffer);
      view.setUint16(16, 4096);
      chunk.set([1, 1, 0, 64, 32, 32], 18);
      for (const [offset, value] of [
        [24, 1],
        [28, pages],
        [44, 4],
        [56, 1],
        [92, 1],
        [96, 3046000],
      ])
        view.setUint32(offset, value);
      chunk[100] = 13;
      view.setUint16(105, 4096);
    }
    await writable.write(chunk);
  }
  await writable.close();
}

async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Writes the database into files of all formats and back; gives what came of it. */
export async function files(path) {
  const db = inBackground(path, { store: "files" });
  const folder = await navigator.storage.getDirectory();
  const read = async (body) => new Uint8Array(await new Response(body).arrayBuffer());
  const unzipped = (blob) => blob.stream().pipeThrough(new DecompressionStream("gzip"));
  const handleOf = (name) => folder.getFileHandle(name, { create: true });
  const saved = async (name, options) => {
    const handle = await handleOf(name);
    const size = await db.saveAs(handle, options);
    const file = await handle.getFile();
    return file.size === size ? file : new Blob();
  };
  const plain = await read(await saved("out.sqlite3"));
  const [zipped, sql] = [await saved("out.sqlite3.gz"), await saved("out.sql.gz")];
  const { id } = await db.backup();
  const blob = await db.asBlob({ at: id });
  const refused = await db.replace(new Blob([plain.subarray(0, 5000)])).catch(({ code }) => code);
  const sqlite3 = await (await import("/npm/@sqlite.org/sqlite-wasm/dist/index.mjs")).default();
  const broken = sqlite3.capi.sqlite3_js_db_export(new sqlite3.oo1.DB().exec("CREATE TABLE t (x)"));
  const damaged = await db.replace(new Blob([broken.fill(7, broken.length / 2)])).catch(({ code }) => code);
  const kept = await sha256(await read((await (await handleOf(path)).getFile()).stream()));
  await db.replace(blob);
  const digests = await Promise.all(
    [plain, await read(unzipped(zipped)), await read(blob.stream())].map((bytes) => sha256(bytes)),
  );
  const text = new TextDecoder().decode(await read(unzipped(sql)));
  const notes = (await db.backups()).map(({ note }) => note);
  db.close();
  return { digests: new Set([...digests, kept]).size, sql: text.slice(0, 26), refused, damaged, notes };
}

/** Backs up in the background into a Worker's store, and back; gives what came of it. */
export async function intoWorker(path, url, token) {
  const options = { store: url, token };
  const db = inBackground(path, options);
  const aborter = new AbortController();
  const onProgress = () => aborter.abort(new Error("stop"));
  const aborted = await db.backup({ signal: aborter.signal, onProgress }).catch(({ message }) => message);
  const none = (await db.backups()).length;
  let told = 0;
  const { kind } = await db.backup({ onProgress: () => void told++ });
  const back = inBackground(`back-${path}`, { ...options, name: path.split(".")[0] });
  await back.restore();
  const digests = await Promise.all(
    [db, back].map(async (each) => sha256(await new Response(await each.export()).arrayBuffer())),
  );
  const denied = await inBackground(path, { ...options, token: "a guess" })
    .backup()
    .catch(({ code }) => code);
  for (const each of [db, back]) each.close();
  return { aborted, none, kind, told: told > 0, digests: new Set(digests).size, denied };
}

/** Backs up again and again, after a page was changed each time; gives how many objects of the store each backup read, by their ending. */
export async function reads(path, backups) {
  const worker = new Worker("/tests/runtimes/browser/opfs/counting-worker.js", { type: "module" });
  const db = inBackground(path, { store: "reads", worker });
  const channel = new BroadcastChannel("reads");
  const counted = () =>
    new Promise((resolve) => {
      channel.onmessage = ({ data }) => resolve(data);
      channel.postMessage("tell");
    });
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(path);
  const told = [];
  for (let made = 0; made < backups; made++) {
    if (made > 0) await changePage(handle, made);
    const { kind } = await db.backup();
    const names = await counted();
    const count = (ending) => new Set(names.filter((name) => name.endsWith(ending))).size;
    told.push([kind, count(".json"), count(".pages"), count(".ltx")]);
  }
  channel.close();
  db.close();
  return told;
}

/** As a commit leaves the file: the change counter with a page behind it. */
async function changePage(handle, count) {
  const writable = await handle.createWritable({ keepExistingData: true });
  const counter = new Uint8Array(4);
  new DataView(counter.buffer).setUint32(0, 1 + count);
  for (const position of [24, 92]) await writable.write({ type: "write", position, data: counter });
  await writable.write({
    type: "write",
    position: 4096 * (10 + count),
    data: new Uint8Array(4096).fill(count),
  });
  await writable.close();
}
