// Kills `pagemark watch` at random moments while a database is written, and restores after each: `node scripts/watch-kills.mjs 200`.
// What a sync acknowledged is in what is restored, and what is restored is one committed state.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./lib/run.mjs";

const kills = Number(process.argv[2] ?? 20);
const port = Number(process.argv[3] ?? 18590);
const pagemark = join(root, "js/dist/bin/pagemark.js");
const folder = mkdtempSync(join(tmpdir(), "pagemark-kills-"));
const [app, store] = [join(folder, "app.db"), join(folder, "store")];
const url = `http://127.0.0.1:${port}`;
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const db = new DatabaseSync(app);
db.exec(
  "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, twice INTEGER, v BLOB)",
);
let written = 0;
let acknowledged = 0;
let isOver = false;

/** Two rows a commit, so that half a commit would show; now and then much changes, goes, or is moved. */
async function write() {
  for (let step = 1; !isOver; step++) {
    db.exec(`BEGIN; INSERT INTO t VALUES (${2 * written + 1}, ${4 * written + 2}, randomblob(${step % 97 === 0 ? 300_000 : 300}));
      INSERT INTO t VALUES (${2 * written + 2}, ${4 * written + 4}, randomblob(200)); COMMIT`);
    written++;
    if (step % 301 === 0) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    if (step % 1009 === 0) db.exec("UPDATE t SET v = randomblob(100) WHERE id % 3 = 0; VACUUM");
    if (step % 5 === 0) await sleep(3);
  }
}

function start() {
  const args = [
    "watch",
    app,
    "--to",
    store,
    "--every",
    "50ms",
    "--backup-every",
    "3s",
    "--keep-states",
    "8s",
    "--listen",
    String(port),
  ];
  const child = spawn(process.execPath, [pagemark, ...args], { stdio: ["ignore", "ignore", "inherit"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

async function sync() {
  const before = written;
  try {
    const { ok } = await fetch(`${url}/sync`, { method: "POST" });
    if (ok) acknowledged = before;
    return ok;
  } catch {
    return false;
  }
}

function restore(at) {
  const output = join(folder, "restored.db");
  rmSync(output, { force: true });
  const args = ["restore", "app", "--from", store, "-o", output, ...(at ? ["--at", at] : [])];
  const { status, stderr } = spawnSync(process.execPath, [pagemark, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`restore ${at ?? ""}: ${stderr}`);
  const restored = new DatabaseSync(output);
  try {
    const check = restored.prepare("PRAGMA integrity_check").get().integrity_check;
    const { n, most, wrong } = restored
      .prepare(
        "SELECT count(*) AS n, max(id) AS most, count(*) FILTER (WHERE twice <> 2 * id) AS wrong FROM t",
      )
      .get();
    if (check !== "ok" || wrong > 0 || n !== most || n % 2 !== 0)
      throw new Error(`a wrong restore: ${check}, ${n} rows up to ${most}`);
    return n / 2;
  } finally {
    restored.close();
  }
}

const writing = write();
let restoredLast = 0;
for (let kill = 1; kill <= kills; kill++) {
  const child = start();
  const until = Date.now() + 200 + 2500 * Math.random();
  while (Date.now() < until) {
    await sync();
    await sleep(20 + 100 * Math.random());
  }
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  const wanted = acknowledged;
  if (wanted > 0) {
    restoredLast = restore();
    if (restoredLast < wanted)
      throw new Error(`kill ${kill}: ${wanted} commits were acknowledged, ${restoredLast} restored`);
  }
}
const last = start();
while (!(await sync())) await sleep(50);
isOver = true;
await writing;
last.kill("SIGTERM");
const status = await new Promise((resolve) => last.once("exit", resolve));
const restored = restore();
if (status !== 0 || restored !== written)
  throw new Error(`the last sync: exit code ${status}, ${restored} of ${written} commits`);
const verified = spawnSync(process.execPath, [pagemark, "verify", "app", "--from", store], {
  encoding: "utf8",
});
if (verified.status !== 0) throw new Error(verified.stdout + verified.stderr);
console.log(`${kills} kills, ${written} commits: every acknowledged sync was restored, and all at the end`);
process.exit(0);
