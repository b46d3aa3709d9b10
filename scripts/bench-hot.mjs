// Backs a database up while another process writes to it: how long it takes, what it does to the writer, and what the
// `sqlite3` shell's `.backup` does beside it. `npm run bench:hot [-- --mb 875 --modes WAL,DELETE --rates 1,5,100,1000]`.
// Then once more on a busy machine: beside as many processes as would keep 0, 2 and 4 processors busy
// (`--busy 0,2,4 --busy-mb 55`; `--modes ''` for these alone).
import { fork, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeDatabase } from "./lib/bench-database.mjs";
import { root } from "./lib/run.mjs";

process.removeAllListeners("warning"); // node:sqlite is announced as experimental
const { DatabaseSync } = await import("node:sqlite");

const { values } = parseArgs({
  options: {
    mb: { type: "string", default: "875" },
    limit: { type: "string", default: "40" },
    modes: { type: "string", default: "WAL,DELETE" },
    rates: { type: "string", default: "1,5,100,1000" },
    busy: { type: "string", default: "0,2,4" },
    "busy-mb": { type: "string", default: "55" },
  },
});
const folder = join(root, ".cache/bench");
const live = join(folder, "hot.db");
const store = join(folder, "hot-store");
const copy = join(folder, "hot-copy.db");
const cli = join(root, "js/dist/bin/pagemark.js");
mkdirSync(folder, { recursive: true });

const backup = [process.execPath, cli, "backup", live, "--to", store, "--full", "--json"];
const shell = ["sqlite3", live, `.backup ${copy}`];
/** Writes to tell the slowest hundredth by, if they do not take longer than {@link LONG}. */
const MANY = 1000;
/** In seconds. */
const LONG = 30;
const rows = [];
for (const mode of list(values.modes)) {
  prepare(mode);
  const quiet = await timed(backup);
  for (const rate of list(values.rates).map(Number)) {
    rows.push(await underWriter(mode, rate, "pagemark backup --full", quiet.seconds, backup));
  }
}
if (rows.length > 0) {
  prepare("WAL");
  const quiet = await timed(shell);
  rows.push(await underWriter("WAL", 5, "sqlite3 3.40.1 .backup", quiet.seconds, shell));
  console.table(rows);
}
const busyRows = [];
for (const count of list(values.busy).map(Number)) {
  for (const options of [[], ["--hurry"]]) {
    prepare("WAL", values["busy-mb"]);
    const quiet = await timed(backup);
    const others = Array.from({ length: count }, () => spawn(process.execPath, ["-e", "for (;;);"]));
    const what = ["pagemark backup --full", ...options].join(" ");
    try {
      const row = await underWriter("WAL", 100, what, quiet.seconds, [...backup, ...options]);
      busyRows.push({ "busy processes": count, ...row });
    } finally {
      for (const other of others) other.kill("SIGKILL");
    }
  }
}
if (busyRows.length > 0) console.table(busyRows);
for (const path of [live, copy]) removeDatabase(path);
rmSync(store, { recursive: true, force: true });

function list(option) {
  return option.split(",").filter((item) => item !== "");
}

/** A fresh copy of `mb` MB with a bank in it. */
function prepare(mode, mb = values.mb) {
  const database = join(folder, `bench-${mb}.db`);
  if (!existsSync(database)) makeDatabase(database, Number(mb) * 1e6);
  removeDatabase(live);
  rmSync(store, { recursive: true, force: true });
  copyFileSync(database, live);
  const db = new DatabaseSync(live);
  db.exec(`
    PRAGMA journal_mode = ${mode};
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER);
    CREATE TABLE marker (n INTEGER);
    INSERT INTO marker VALUES (0);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO accounts SELECT i, 1000 FROM n`);
  db.close();
}

async function underWriter(mode, rate, what, quietSeconds, command) {
  // What the stage before left to be written to the disk would slow this one's writes.
  spawnSync("sync");
  const { n: before } = only(live, "SELECT n FROM marker");
  const writer = fork(join(root, "scripts/lib/hot-writer.mjs"), [live, String(rate)]);
  const transactions = new Promise((resolve) => writer.on("message", resolve));
  const enough = Math.min(MANY, LONG * rate);
  // As many as while it is backed up, to know what is usual.
  await sleep(Math.max(2500, (enough / rate) * 1000));
  const runs = [];
  let writes = 0;
  do {
    removeDatabase(copy);
    const began = Date.now();
    const run = await timed(command, Number(values.limit) * 1000);
    runs.push({ ...run, began, ended: Date.now() });
    writes += run.seconds * rate;
  } while (writes < enough && runs.at(-1).finished);
  await sleep(500);
  writer.send("stop");
  const all = await transactions;
  const during = all
    .filter(([start, took]) => runs.some(({ began, ended }) => start + took >= began && start <= ended))
    .map(([, took]) => took);
  const idle = all.filter(([start, took]) => start + took < runs[0].began).map(([, took]) => took);
  const last = runs.at(-1);
  const state = command !== shell && stateOf(all, before, last);
  const seconds = runs.map((run) => run.seconds).toSorted((a, b) => a - b);
  return {
    "journal mode": mode,
    "writes/s": rate,
    command: what,
    "quiet s": quietSeconds.toFixed(2),
    "hot s": runs.every(({ finished }) => finished)
      ? seconds[Math.floor(seconds.length / 2)].toFixed(2)
      : `not done after ${values.limit}`,
    "its state, s": state ? state.toFixed(2) : "",
    runs: runs.length,
    "p99 idle ms": percentile(idle, 0.99),
    "p99 during ms": percentile(during, 0.99),
    "longest ms": percentile(during, 1),
    writes: during.length,
  };
}

/**
 * How long after the last backup began its state was current, in seconds. It is one commit: nobody's money is lost
 * between two pages.
 */
function stateOf(transactions, before, { began }) {
  removeDatabase(copy);
  const args = [cli, "restore", "hot", "--from", store, "-o", copy];
  const { status } = spawnSync(process.execPath, args, { stdio: "ignore" });
  const { total, n } = only(copy, "SELECT sum(balance) AS total, (SELECT n FROM marker) AS n FROM accounts");
  removeDatabase(copy);
  if (status !== 0 || total !== 1_000_000) throw new Error(`the accounts sum up to ${total}`);
  const [start, took] = transactions[Math.max(0, n - before - 1)];
  return (start + took - began) / 1000;
}

/** The row that a query gives. */
function only(path, sql) {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare(sql).get();
  } finally {
    db.close();
  }
}

function timed([command, ...args], limitMs = 600_000) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { stdio: "ignore" });
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    child.on("error", reject);
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (code !== 0 && code !== null) reject(new Error(`${command} ${args.join(" ")} ended with ${code}`));
      else resolve({ finished: code === 0, seconds: (performance.now() - started) / 1000 });
    });
  });
}

function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(2) ?? "-";
}

function removeDatabase(path) {
  for (const ending of ["", "-wal", "-shm", "-journal"]) rmSync(path + ending, { force: true });
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
