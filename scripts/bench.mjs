// Times Pagemark beside its peers on one database: same run, in turns, medians, peak memory of each process.
// `npm run bench [-- --runs 5] [-- --mb 325]`. What it prints is a measurement, not a test.
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeDatabase } from "./lib/bench-database.mjs";
import { measure, report } from "./lib/measure.mjs";
import { contest, Peers, pagemark, peer, run } from "./lib/peers.mjs";
import { root } from "./lib/run.mjs";
import { changeHundredRows } from "./lib/shapes.mjs";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "5" }, mb: { type: "string", default: "325" } },
});
const runs = Number(options.runs);
const folder = join(root, ".cache/bench");
mkdirSync(folder, { recursive: true });
const database = join(folder, `bench-${options.mb}.db`);
if (!existsSync(database)) makeDatabase(database, Number(options.mb) * 1e6);
const peers = new Peers(folder, database);
const size = statSync(database).size;
const idle = measure([process.execPath, "-e", "0"]);
console.log(
  `database: ${(size / 1e6).toFixed(0)} MB; ${runs} runs each; an idle Node takes ${(idle.memory / 1e6).toFixed(0)} MB`,
);

compare("dump to nowhere", [
  ["pagemark dump", () => peers.dump()],
  ["pagemark dump --dialect sqlite3-cli-3.40", () => peers.dump("--dialect", "sqlite3-cli-3.40")],
  ["sqlite3 3.40.1 .dump", () => ["sqlite3", database, ".dump"]],
  ["sqlite3 3.54.1 .dump", () => [peer("sqlite3_shell"), database, ".dump"]],
]);

compare("full backup", [
  ["pagemark backup", () => peers.backup()],
  ["sqlite3 3.54.1 .backup", () => [peer("sqlite3_shell"), database, `.backup ${peers.fresh("copy.db")}`]],
  ["sqlite3 3.40.1 .backup", () => ["sqlite3", database, `.backup ${peers.fresh("copy.db")}`]],
  [
    "sqlite3 3.54.1 VACUUM INTO",
    () => [peer("sqlite3_shell"), database, `VACUUM INTO '${peers.fresh("copy.db")}'`],
  ],
  ["sqlite3 3.40.1 VACUUM INTO", () => ["sqlite3", database, `VACUUM INTO '${peers.fresh("copy.db")}'`]],
  ["litestream replicate -once", () => peers.litestreamBackup()],
]);

run(peers.backup());
run(peers.litestreamBackup());
compare("restore", [
  ["pagemark restore", () => peers.restore()],
  ["litestream restore", () => peers.litestreamRestore()],
  ["cp", () => ["cp", database, peers.fresh("restored.db")]],
]);

compare("dump of a stored backup to nowhere", [
  ["pagemark dump --from", () => [...pagemark, "dump", "bench", "--from", peers.at("store")]],
]);

peers.beginIncremental();
const change = () => changeHundredRows(peers.at("live.db"));
compare("incremental after 100 changed rows", [
  ["pagemark backup", () => peers.incremental(), change],
  ["sqlite3_rsync to a local copy", () => peers.rsync(), change],
]);

/** Runs the commands in turns, and prints each beside the first. */
function compare(title, commands) {
  const results = contest(runs, commands);
  console.log(`\n${title}`);
  report(results, idle.memory);
}
