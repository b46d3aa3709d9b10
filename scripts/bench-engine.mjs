// Times SQL and backups of the engine beside other SQLites in wasm: same run, in turns, a process each, medians.
// `npm run bench:engine [-- --runs 5] [-- --rows 1000000] [-- --mb 300] [-- --only sql|backup]`. `--with <folder>` runs
// another build of js/dist beside this one. What it prints is a measurement, not a test.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { makeDatabase } from "./lib/bench-database.mjs";
import { peers } from "./lib/engine-peers.mjs";
import { median } from "./lib/measure.mjs";
import { root } from "./lib/run.mjs";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    rows: { type: "string", default: "1000000" },
    mb: { type: "string", default: "300" },
    only: { type: "string" },
    with: { type: "string" },
  },
});
const runs = Number(options.runs);
const contenders = Object.keys(peers).map((peer) => ({ name: peer, peer, dist: join(root, "js/dist") }));
if (options.with) contenders.push({ name: options.with, peer: "pagemark", dist: resolve(options.with) });

if (options.only !== "backup") {
  const results = compare("sql", options.rows);
  for (const [task, of] of Object.entries(results.tasks)) {
    show(`${task} (${of.count.toLocaleString("en")})`, of.ms, (ms) => ({
      "k/s": (of.count / median(ms)).toFixed(0),
      "min ms": Math.min(...ms).toFixed(0),
    }));
  }
  show("peak memory over all of these", results.memory, (bytes) => ({
    MB: (median(bytes) / 1e6).toFixed(0),
  }));
}

if (options.only !== "sql") {
  const folder = join(root, ".cache/bench");
  mkdirSync(folder, { recursive: true });
  const database = join(folder, `bench-${options.mb}.db`);
  if (!existsSync(database)) makeDatabase(database, Number(options.mb) * 1e6);
  const results = compare("backup", database);
  const size = (statSync(database).size / 1e6).toFixed(0);
  for (const [task, { ms }] of Object.entries(results.tasks)) {
    show(`${task} (${size} MB, 100 rows changed each time)`, ms, (ms) => ({
      "min ms": Math.min(...ms).toFixed(1),
    }));
  }
  show("peak memory, with the database", results.memory, (bytes) => ({
    MB: (median(bytes) / 1e6).toFixed(0),
  }));
}

/** Runs every contender in turns; by task and contender what each run took. */
function compare(what, argument) {
  const tasks = {};
  const memory = {};
  for (let round = 0; round < runs; round++) {
    for (const { name, peer, dist } of contenders) {
      const workload = join(root, "scripts/lib/engine-workload.mjs");
      const line = ["--expose-gc", workload, peer, what, argument, dist];
      const turn = JSON.parse(execFileSync(process.execPath, line, { encoding: "utf8" }));
      for (const [task, { ms, count }] of Object.entries(turn.tasks)) {
        tasks[task] ??= { count, ms: {} };
        append(tasks[task].ms, name, ms);
      }
      append(memory, name, turn.memory);
    }
  }
  return { tasks, memory };
}

function append(lists, name, value) {
  lists[name] ??= [];
  lists[name].push(value);
}

/** Prints a line for each contender: its median, and that of the first as a multiple. */
function show(title, values, columns) {
  console.log(`\n${title}`);
  const first = median(Object.values(values)[0]);
  const rows = Object.entries(values).map(([name, of]) => {
    const middle = median(of);
    return [
      name,
      { median: Number(middle.toFixed(1)), ...columns(of), "this / first": (middle / first).toFixed(2) },
    ];
  });
  console.table(Object.fromEntries(rows));
}
