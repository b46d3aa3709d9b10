// Times Pagemark beside its peers on one database: same run, in turns, medians, peak memory of each process.
// `npm run bench [-- --runs 5] [-- --mb 325]`. What it prints is a measurement, not a test.
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { changeRows, makeDatabase } from "./lib/bench-database.mjs";
import { measure, median, report, settle } from "./lib/measure.mjs";
import { root } from "./lib/run.mjs";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "5" }, mb: { type: "string", default: "325" } },
});
const runs = Number(options.runs);
const folder = join(root, ".cache/bench");
const bin = (name) => join(root, ".cache/bin", name);
const at = (...names) => join(folder, ...names);
const pagemark = [process.execPath, join(root, "js/dist/bin/pagemark.js")];
mkdirSync(folder, { recursive: true });

const database = at(`bench-${options.mb}.db`);
if (!existsSync(database)) makeDatabase(database, Number(options.mb) * 1e6);
const size = statSync(database).size;
const idle = measure([process.execPath, "-e", "0"]);
console.log(
  `database: ${(size / 1e6).toFixed(0)} MB; ${runs} runs each; an idle Node takes ${mb(idle.memory)}`,
);

compare("dump to nowhere", [
  ["pagemark dump", () => [...pagemark, "dump", database]],
  [
    "pagemark dump --dialect sqlite3-cli-3.40",
    () => [...pagemark, "dump", database, "--dialect", "sqlite3-cli-3.40"],
  ],
  ["sqlite3 3.40.1 .dump", () => ["sqlite3", database, ".dump"]],
  ["sqlite3 3.54.1 .dump", () => [bin("sqlite3_shell"), database, ".dump"]],
]);

compare("full backup", [
  ["pagemark backup", () => [...pagemark, "backup", database, "--name", "bench", "--to", fresh("store")]],
  ["sqlite3 3.54.1 .backup", () => [bin("sqlite3_shell"), database, `.backup ${fresh("copy.db")}`]],
  ["sqlite3 3.40.1 .backup", () => ["sqlite3", database, `.backup ${fresh("copy.db")}`]],
  ["sqlite3 3.54.1 VACUUM INTO", () => [bin("sqlite3_shell"), database, `VACUUM INTO '${fresh("copy.db")}'`]],
  ["sqlite3 3.40.1 VACUUM INTO", () => ["sqlite3", database, `VACUUM INTO '${fresh("copy.db")}'`]],
  ["litestream replicate -once", litestreamBackup],
]);

run([...pagemark, "backup", database, "--name", "bench", "--to", fresh("store")]);
run(litestreamBackup());
compare("restore", [
  [
    "pagemark restore",
    () => [...pagemark, "restore", "bench", "--from", at("store"), "-o", fresh("restored.db")],
  ],
  [
    "litestream restore",
    () => [bin("litestream"), "restore", "-o", fresh("restored.db"), `file://${at("replica")}`],
  ],
  ["cp", () => ["cp", database, fresh("restored.db")]],
]);

compare("dump of a stored backup to nowhere", [
  ["pagemark dump --from", () => [...pagemark, "dump", "bench", "--from", at("store")]],
]);

// Each backup changes what the next one sees, so the database is a copy of its own.
copyFileSync(database, fresh("live.db"));
copyFileSync(database, fresh("rsync.db"));
run([...pagemark, "backup", at("live.db"), "--name", "live", "--to", fresh("store")]);
compare("incremental after 100 changed rows", [
  [
    "pagemark backup",
    () => [...pagemark, "backup", at("live.db"), "--name", "live", "--to", at("store")],
    () => changeRows(at("live.db")),
  ],
  [
    "sqlite3_rsync to a local copy",
    () => [bin("sqlite3_rsync"), at("live.db"), at("rsync.db")],
    () => changeRows(at("live.db")),
  ],
]);

/** Runs the commands in turns, and prints each beside the first. */
function compare(title, commands) {
  const results = commands.map(([name]) => ({ name, measured: [] }));
  for (let round = 0; round <= runs; round++) {
    for (const [index, [, command, prepare]] of commands.entries()) {
      prepare?.();
      const line = command();
      settle();
      const measured = measure(line);
      if (measured.code !== 0) throw new Error(`${line.join(" ")} ended with ${measured.code}`);
      // The first round warms the caches up.
      if (round > 0) results[index].measured.push(measured);
    }
  }
  console.log(`\n${title}`);
  report(results, idle.memory);
  return median(results[0].measured.map(({ wall }) => wall));
}

function litestreamBackup() {
  const copy = fresh("litestream.db");
  rmSync(at(".litestream.db-litestream"), { recursive: true, force: true });
  copyFileSync(database, copy);
  return [bin("litestream"), "replicate", "-once", copy, `file://${fresh("replica")}`];
}

/** A path in the bench's folder where nothing is. */
function fresh(name) {
  for (const ending of ["", "-wal", "-shm", "-journal"])
    rmSync(at(name + ending), { recursive: true, force: true });
  return at(name);
}

function run(command) {
  const { code } = measure(command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}`);
}

function mb(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
