// Rows become pages in wasm, beside SQLite, native and in wasm, that loads the same rows, sorted, in one transaction:
// processor seconds.
// `node scripts/bench-build.mjs [rows] [runs]`, after a build.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import "../js/dist/entry/node.js";
import { pageBuilder, RowBatch } from "../js/dist/core/index.js";

const [rows = 500_000, runs = 3] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "pagemark-bench-"));
const TABLE = "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, note TEXT, amount REAL, count INT)";
const INDEX = "CREATE INDEX by_name ON orders (name)";
// As D1 answers: each row's texts lie beside each other in memory.
const answered = (rows) => JSON.parse(JSON.stringify(rows));
const data = answered(
  Array.from({ length: rows }, (_, n) => [
    n * 3,
    `customer ${String((n * 7919) % rows).padStart(8, "0")}`,
    "a note of some length ".repeat(n % 4),
    n * 0.37,
    n % 1000,
  ]),
);
const byName = answered(data.map(([id, name]) => [name, id]).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Runs `work` and prints what it takes at best. */
async function measure(name, work) {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const before = process.cpuUsage();
    const seconds = await work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, seconds ?? (user + system) / 1e6);
  }
  console.log(`${name.padEnd(44)} ${best.toFixed(2)} s  ${Math.round(rows / best / 1000)}k rows/s`);
}

/** Processor seconds of the sqlite3 shell. */
function shell(file, input) {
  const time = ["-c", 'time -p "$@"', "bash", process.env.SQLITE3 ?? "sqlite3", join(folder, file)];
  const { stderr } = execFileSyncBoth("bash", time, input);
  const seconds = (name) => Number(new RegExp(`${name} ([\\d.]+)`).exec(stderr)?.[1]);
  return seconds("user") + seconds("sys");
}

function execFileSyncBoth(command, args, input) {
  const errors = join(folder, "errors");
  const words = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  execFileSync("bash", ["-c", `exec 2>'${errors}'; ${words}`], { input, maxBuffer: 1 << 30 });
  return { stderr: execFileSync("cat", [errors], { encoding: "utf8" }) };
}

async function build(withIndex) {
  const schema = [{ type: "table", name: "orders", table: "orders", sql: TABLE, hasTree: true }];
  if (withIndex) schema.push({ type: "index", name: "by_name", table: "orders", sql: INDEX, hasTree: true });
  const builder = await pageBuilder({}, schema);
  const batch = new RowBatch();
  const out = [];
  const add = () => out.push(builder.add(batch).bytes);
  builder.begin(0, "table", ["rowid", "value", "value", "real", "value"]);
  for (const [id, name, note, amount, count] of data) {
    batch.rowid(id);
    batch.text(name);
    batch.text(note);
    batch.real(amount);
    batch.integer(count);
    if (batch.isFull) add();
  }
  add();
  out.push(builder.end().bytes);
  if (withIndex) {
    builder.begin(1, "index", ["value", "value"]);
    for (const [name, id] of byName) {
      batch.text(name);
      batch.integer(id);
      if (batch.isFull) add();
    }
    add();
    out.push(builder.end().bytes);
  }
  const { bytes } = builder.finish();
  builder.free();
  writeFileSync(join(folder, "ours.db"), Buffer.concat([bytes, ...out]));
}

function inSqlite(withIndex) {
  const path = join(folder, "theirs.db");
  rmSync(path, { force: true });
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${TABLE}; BEGIN`);
  const insert = db.prepare("INSERT INTO orders VALUES (?, ?, ?, ?, ?)");
  for (const row of data) insert.run(...row);
  if (withIndex) db.exec(INDEX);
  db.exec("COMMIT");
  db.close();
}

/** SQLite's own wasm, which keeps the file in memory, as the builder does its pages. */
function inWasm(sqlite3, withIndex) {
  const db = new sqlite3.oo1.DB(":memory:");
  db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${TABLE}; BEGIN`);
  const insert = db.prepare("INSERT INTO orders VALUES (?, ?, ?, ?, ?)");
  for (const row of data) insert.bind(row).stepReset();
  insert.finalize();
  if (withIndex) db.exec(INDEX);
  db.exec("COMMIT");
  db.close();
}

try {
  const sqlite3 = await sqlite3InitModule();
  console.log(`${rows} rows, the best of ${runs} runs`);
  const quote = (value) => (typeof value === "string" ? `'${value}'` : value);
  const values = data.map((row) => `INSERT INTO orders VALUES (${row.map(quote).join(",")});`).join("\n");
  const sql = `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${TABLE}; BEGIN;\n${values}\n`;
  for (const withIndex of [false, true]) {
    const what = withIndex ? "with an index" : "a table";
    await measure(`the builder, ${what}`, () => build(withIndex));
    await measure(`node:sqlite, prepared inserts, ${what}`, () => inSqlite(withIndex));
    await measure(`sqlite-wasm, prepared inserts, ${what}`, () => inWasm(sqlite3, withIndex));
    await measure(`sqlite3 < rows.sql, ${what}`, () => {
      rmSync(join(folder, "shell.db"), { force: true });
      return shell("shell.db", `${sql}${withIndex ? `${INDEX};` : ""}COMMIT;`);
    });
  }
  const file = join(folder, "ours.db");
  execFileSync(process.env.SQLITE3 ?? "sqlite3", [file, "PRAGMA integrity_check"], { stdio: "inherit" });
  const size = statSync(file).size;
  execFileSync(process.env.SQLITE3 ?? "sqlite3", [file, "VACUUM"]);
  console.log(
    `${size} bytes; VACUUM makes it ${statSync(file).size}: ${(size / statSync(file).size).toFixed(4)}`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
