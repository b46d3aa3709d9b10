// Continuous backup beside `litestream replicate`, under the same writer, one after the other:
// `npm run bench:watch [-- --rates 1,100,1000 --seconds 300 --mb 100]`. How far behind the store is, processor time, memory, bytes and puts.
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { root } from "./lib/run.mjs";

const { values } = parseArgs({
  options: {
    rates: { type: "string", default: "1,100,1000" },
    seconds: { type: "string", default: "300" },
    mb: { type: "string", default: "100" },
  },
});
const seconds = Number(values.seconds);
const folder = join(root, ".cache/bench/watch");
const database = join(folder, "app.db");
const store = join(folder, "store");
const pagemark = join(root, "js/dist/bin/pagemark.js");
const litestream = join(root, ".cache/bin/litestream");
const programs = {
  pagemark: [process.execPath, pagemark, "watch", database, "--to", store],
  litestream: [litestream, "replicate", database, `file://${join(store, "app")}`],
};
const restores = {
  pagemark: (output) => [process.execPath, pagemark, "restore", "app", "--from", store, "-o", output],
  litestream: (output) => [litestream, "restore", "-o", output, `file://${join(store, "app")}`],
};

/** Commits at a rate for some seconds, and prints when each was: rows of 200 bytes all over the table. */
const WRITER = `
const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
const [path, rate, seconds] = process.argv.slice(1);
const db = new DatabaseSync(path);
db.exec("PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000");
const { n } = db.prepare("SELECT max(id) AS n FROM t").get();
const update = db.prepare("UPDATE t SET v = randomblob(200) WHERE id = ?");
const start = Date.now(), wait = new Int32Array(new SharedArrayBuffer(4)), times = [];
for (let i = 0; i < rate * seconds; i++) {
  const pause = start + (i * 1000) / rate - Date.now();
  if (pause >= 1) Atomics.wait(wait, 0, 0, pause);
  update.run(1 + Math.floor(Math.random() * n));
  times.push(Date.now());
}
process.stdout.write(JSON.stringify(times));`;

function prepare() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const rows = Math.max(100, Math.floor((Number(values.mb) * 1e6) / 230));
  const sql = `PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
    WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT i, randomblob(200) FROM n;`;
  const { status, stderr } = spawnSync("sqlite3", [database, sql], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

/** The files of the replica, and when each was seen first and made, in milliseconds since 1970. */
class Replica {
  files = new Map();

  look() {
    const ltx = join(store, "app/ltx");
    if (!existsSync(ltx)) return;
    for (const level of readdirSync(ltx)) {
      for (const name of readdirSync(join(ltx, level))) {
        const path = join(ltx, level, name);
        if (this.files.has(path) || !name.endsWith(".ltx")) continue;
        const size = statSync(path, { throwIfNoEntry: false })?.size;
        if (size !== undefined)
          this.files.set(path, {
            seen: Date.now(),
            made: madeAt(path),
            size,
            isState: level === "0" || level === "1",
          });
      }
    }
  }
}

function madeAt(path) {
  const header = Buffer.alloc(40);
  try {
    const fd = openSync(path, "r");
    readSync(fd, header, 0, 40, 0);
    closeSync(fd);
  } catch {
    return 0;
  }
  return Number(header.readBigInt64BE(32));
}

function usage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  const memory = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1];
  return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, mb: Number(memory) / 1024 };
}

async function measure(name, rate) {
  prepare();
  const [command, ...args] = programs[name];
  const child = spawn(command, args, { stdio: "ignore" });
  const replica = new Replica();
  while (replica.files.size === 0) {
    await sleep(50);
    replica.look();
  }
  await sleep(2000);
  const before = usage(child.pid);
  const idle = await sleep(3000).then(() => usage(child.pid).cpu - before.cpu);
  const writer = spawn(process.execPath, ["--no-warnings", "-e", WRITER, database, rate, seconds], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  writer.stdout.on("data", (data) => (output += data));
  let isOver = false;
  writer.once("close", () => (isOver = true));
  const start = usage(child.pid);
  while (!isOver) {
    await sleep(10);
    replica.look();
  }
  const end = usage(child.pid);
  for (let i = 0; i < 200; i++) {
    await sleep(10);
    replica.look();
  }
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
  replica.look();
  const times = JSON.parse(output);
  const states = [...replica.files.values()].filter(({ isState }) => isState).sort((a, b) => a.made - b.made);
  const lags = times
    .map((time) => states.find(({ made, seen }) => made >= time && seen >= time)?.seen - time)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const at = (part) => lags[Math.min(lags.length - 1, Math.floor(part * lags.length))];
  const began = Date.now();
  const copy = join(folder, "restored.db");
  const [restore, ...options] = restores[name](copy);
  const { status, stderr } = spawnSync(restore, options, { encoding: "utf8" });
  const took = Date.now() - began;
  const same =
    spawnSync("bash", ["-c", `cmp <(sqlite3 ${copy} .dump) <(sqlite3 ${database} .dump)`]).status === 0;
  const files = [...replica.files.values()];
  return {
    rate,
    program: name,
    commits: times.length,
    "lag p50 ms": at(0.5),
    "lag p99 ms": at(0.99),
    "cpu s": Number((end.cpu - start.cpu).toFixed(2)),
    "idle cpu %": Number(((100 * idle) / 3).toFixed(1)),
    "peak MB": Math.round(end.mb),
    "stored MB": Number((files.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1)),
    files: files.length,
    "restore ms": status === 0 ? took : stderr,
    same,
  };
}

const rows = [];
for (const rate of values.rates.split(",").map(Number)) {
  for (const name of Object.keys(programs)) {
    rows.push(await measure(name, rate));
    console.log(JSON.stringify(rows.at(-1)));
  }
}
console.table(rows);
rmSync(folder, { recursive: true, force: true });
