// Local D1 for benches: a project of wrangler's whose database a Worker with the package backs up, and which
// `wrangler d1 export --local` exports; with what processes take.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./run.mjs";
import { QUIET, wranglerMain } from "./workers.mjs";

const { modulesOf } = await import(join(root, "tests/support/worker-modules.ts"));
const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = createRequire(import.meta.url)("miniflare");

/** Ticks of the processor's clock a second, in /proc. */
const TICKS = 100;
const PAGE = 4096;

/** Starts the Worker of the benches on the databases of a project; `more` are options of miniflare. */
export async function startOn(project, databases = ["DB"], more = {}) {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: await modulesOf(join(root, "scripts/lib/bench-d1-worker.mjs")),
      compatibilityDate: "2026-10-01",
      log: new Log(LogLevel.NONE),
      resourcePersistencePath: join(project, ".wrangler/state/v3"),
      d1Databases: Object.fromEntries(databases.map((name) => [name, name === "DB" ? "app" : name])),
      r2Buckets: ["BACKUPS"],
      ...more,
    }),
  );
  await miniflare.ready;
  return miniflare;
}

/** What the Worker answers to a request. */
export async function ask(miniflare, path, body) {
  const answer = await miniflare.dispatchFetch(`http://worker${path}`, body ? { method: "POST", body } : {});
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

/** Starts `wrangler d1 export --local` of a project's database into its `large.sql`. */
export function exporting(project) {
  const args = [wranglerMain, "d1", "export", "app", "--local", "--output", "large.sql"];
  const env = {
    ...process.env,
    ...QUIET,
    XDG_CONFIG_HOME: project.folder,
    WRANGLER_LOG_PATH: join(project.folder, "logs"),
  };
  const child = spawn(process.execPath, args, {
    cwd: project.folder,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((resolve, reject) =>
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(said)))),
  );
  return { ended, pid: child.pid };
}

/** A process and those that it started, and so on; only those of a name. */
export function treeOf(pid, named = "") {
  const parents = new Map();
  for (const each of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const [, name, parent] = /\((.*)\) \S (\d+)/.exec(ofProcess(each, "stat")) ?? [];
    if (name !== undefined) parents.set(Number(each), { parent: Number(parent), name });
  }
  const isBelow = (each) => each === pid || (parents.has(each) && isBelow(parents.get(each).parent));
  return [...parents.keys()].filter((each) => isBelow(each) && parents.get(each).name.includes(named));
}

/** What processes take: of the processor, in seconds, with that of children that have ended; of memory, in bytes. */
export function usageOf(pids) {
  const all = { seconds: 0, memory: 0 };
  for (const pid of pids) {
    const fields = ofProcess(pid, "stat").split(") ")[1]?.split(" ");
    if (!fields) continue;
    all.seconds += fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
    all.memory += Number(fields[21]) * PAGE;
  }
  return all;
}

function ofProcess(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // it has ended
  }
}
