// Many databases in one command, beside `litestream replicate` with as many configured: `npm run bench:many [-- --databases 1000 --mb 1 --large 1000]`.
// How long until each is stored (`large` MB is one more), the processor time of that and of a minute without commits, then how long until one commit in
// each is stored; peak memory, and files.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { root } from "./lib/run.mjs";

const { values } = parseArgs({
  options: {
    databases: { type: "string", default: "1000" },
    mb: { type: "string", default: "1" },
    large: { type: "string", default: "1000" },
    idle: { type: "string", default: "60" },
  },
});
const folder = join(root, ".cache/bench/many");
const [data, store] = ["data", "store"].map((name) => join(folder, name));
const config = join(folder, "litestream.yml");
const small = Array.from({ length: Number(values.databases) }, (_, n) => `db${n}`);
const names = Number(values.large) > 0 ? ["large", ...small] : small;
const pagemark = join(root, "js/dist/bin/pagemark.js");
const programs = {
  pagemark: [process.execPath, pagemark, "watch", `${data}/*.db`, "--to", store],
  litestream: [join(root, ".cache/bin/litestream"), "replicate", "-config", config],
};

function prepare() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(data, { recursive: true });
  const made = (name, mb) => {
    const rows = Math.floor((mb * 1e6) / 230);
    const sql = `PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
      WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT i, randomblob(200) FROM n;`;
    const { status, stderr } = spawnSync("sqlite3", [join(data, `${name}.db`), sql], { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  };
  if (names.includes("large")) made("large", Number(values.large));
  const [first, ...others] = small;
  made(first, Number(values.mb));
  for (const name of others) copyFileSync(join(data, `${first}.db`), join(data, `${name}.db`));
  const replicas = names.map(
    (name) => `  - path: ${data}/${name}.db\n    replicas: [{ type: file, path: ${store}/${name} }]\n`,
  );
  writeFileSync(config, `dbs:\n${replicas.join("")}`);
}

/** Files of LTX that a database has in the store. */
function filesOf(name) {
  const ltx = join(store, name, "ltx");
  if (!existsSync(ltx)) return [];
  return readdirSync(ltx, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith(".ltx"));
}

/** Waits until each database has a file that it had not; gives the seconds. */
async function stored(before) {
  const began = performance.now();
  let waiting = names;
  while (waiting.length > 0) {
    await sleep(200);
    waiting = waiting.filter((name) => !filesOf(name).some((each) => !before.get(name)?.has(each)));
  }
  return seconds(performance.now() - began);
}

function seconds(ms) {
  return Number((ms / 1000).toFixed(1));
}

function usage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  const memory = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1];
  return { cpu: (Number(stat[11]) + Number(stat[12])) / 100, mib: Number(memory) / 1024 };
}

async function measure(name) {
  prepare();
  const [command, ...args] = programs[name];
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  const first = await stored(new Map());
  const begun = usage(child.pid);
  await sleep(1000 * Number(values.idle));
  const idle = usage(child.pid);
  const before = new Map(names.map((each) => [each, new Set(filesOf(each))]));
  for (const each of names) {
    const db = new DatabaseSync(join(data, `${each}.db`));
    db.exec("PRAGMA synchronous = OFF; UPDATE t SET v = randomblob(200) WHERE id = 1");
    db.close();
  }
  const commits = await stored(before);
  const end = usage(child.pid);
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
  return {
    program: name,
    databases: names.length,
    "first s": first,
    "first cpu s": begun.cpu,
    "idle cpu s": Number((idle.cpu - begun.cpu).toFixed(2)),
    "commits s": commits,
    "commits cpu s": Number((end.cpu - idle.cpu).toFixed(2)),
    "peak MiB": Math.round(end.mib),
    files: names.reduce((sum, each) => sum + filesOf(each).length, 0),
  };
}

const rows = [];
for (const name of Object.keys(programs)) {
  rows.push(await measure(name));
  console.log(JSON.stringify(rows.at(-1)));
}
console.table(rows);
const [ours, theirs] = rows;
const ratios = Object.keys(ours).filter((key) => typeof ours[key] === "number" && key !== "databases");
console.log(
  ratios.map((key) => `${key}: ${(ours[key] / theirs[key]).toFixed(2)}`).join(", "),
  "times Litestream's",
);
rmSync(folder, { recursive: true, force: true });
