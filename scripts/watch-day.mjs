// A day of a watched database in minutes: the clock is this script's. How many objects there are after each hour, and how long a restore
// takes beside one of a single snapshot: `node scripts/watch-day.mjs [--mb 325] [--hours 24] [--commits 1] [--every 1] [--hot 0.02] [--keep]`.
// It is looked every so many seconds. `commits` a second, of which each changes three rows, nine of ten times in the part `hot` of the table. Litestream restores the end, too.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { root } from "./lib/run.mjs";

const { values } = parseArgs({
  options: {
    mb: { type: "string", default: "325" },
    hours: { type: "string", default: "24" },
    commits: { type: "string", default: "1" },
    every: { type: "string", default: "1" },
    hot: { type: "string", default: "0.02" },
    keep: { type: "boolean", default: false },
  },
});
const [mb, hours, commits, every, hot] = ["mb", "hours", "commits", "every", "hot"].map((name) =>
  Number(values[name]),
);
const cli = join(root, "js/dist/bin/pagemark.js");
const folder = mkdtempSync(join(tmpdir(), "pagemark-day-"));
process.on("exit", () =>
  values.keep ? console.log(folder) : rmSync(folder, { recursive: true, force: true }),
);
const [path, stored, single] = ["app.db", "store", "single"].map((name) => join(folder, name));

const realNow = Date.now;
let ahead = 0;
Date.now = () => realNow() + ahead;
const { file, folder: folderStore, pagemark, watch } = await import("pagemark");

const db = new DatabaseSync(path);
const rows = Math.max(100, Math.floor((mb * 1e6) / 230));
db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
  WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT i, randomblob(200) FROM n;
  PRAGMA wal_checkpoint(TRUNCATE)`);
const update = db.prepare("UPDATE t SET v = randomblob(200) WHERE id = ?");

function commit() {
  db.exec("BEGIN");
  for (let i = 0; i < 3; i++) {
    const part = Math.random() < 0.9 ? hot : 1;
    update.run(1 + Math.floor(Math.random() * rows * part));
  }
  db.exec("COMMIT");
}

const stopping = new AbortController();
const failures = [];
const watcher = watch([pagemark(file(path), { store: folderStore(stored), name: "app" })], {
  everyMs: 86_400_000,
  signal: stopping.signal,
  onEvent: (event) => event.kind === "failed" && failures.push(event.error),
});
await watcher.sync();

function objects() {
  const files = readdirSync(stored, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const by = {};
  for (const { parentPath } of files) {
    const kind = parentPath.slice(stored.length + 5);
    by[kind] = (by[kind] ?? 0) + 1;
  }
  return { all: files.length, ...by };
}

const began = realNow();
let most = 0;
for (let second = every; second <= hours * 3600; second += every) {
  ahead += 1000 * every;
  for (let i = 0; i < commits * every; i++) commit();
  await watcher.sync();
  if (second % 3600 < every) {
    const now = objects();
    most = Math.max(most, now.all);
    console.log(
      `hour ${Math.floor(second / 3600)}: ${JSON.stringify(now)} (${Math.round((realNow() - began) / 1000)} s)`,
    );
  }
}
// Not just after a backup: with as many states as there are mostly.
for (let i = 0; i < 100; i++) {
  ahead += 1000;
  commit();
  await watcher.sync();
}
const [status] = watcher.status();
console.log(JSON.stringify({ most, failures: failures.map(String), ...status }));
stopping.abort();
await watcher.done;
Date.now = realNow;

const restored = (output, args) => {
  rmSync(output, { force: true });
  const start = realNow();
  const { status, stderr } = spawnSync(args[0], args.slice(1), { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  return realNow() - start;
};
const digest = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
spawnSync(process.execPath, [cli, "backup", path, "--to", single]);
const [one, day, stock] = ["one.db", "day.db", "stock.db"].map((name) => join(folder, name));
const times = { one: [], day: [] };
for (let turn = 0; turn < 5; turn++) {
  times.one.push(restored(one, [process.execPath, cli, "restore", "app", "--from", single, "-o", one]));
  times.day.push(restored(day, [process.execPath, cli, "restore", "app", "--from", stored, "-o", day]));
}
const litestream = join(root, ".cache/bin/litestream");
const theirs = restored(stock, [litestream, "restore", "-o", stock, `file://${join(stored, "app")}`]);
const contents = (file) => spawnSync("sqlite3", [file, ".sha3sum"], { encoding: "utf8" }).stdout;
if (contents(path) !== contents(day)) throw new Error("the restore is not what the database is");
if (digest(day) !== digest(stock)) throw new Error("litestream restores something else");
const [snapshotMs, dayMs] = [median(times.one), median(times.day)];
console.log(
  JSON.stringify({ snapshotMs, dayMs, ratio: Number((dayMs / snapshotMs).toFixed(2)), litestreamMs: theirs }),
);
