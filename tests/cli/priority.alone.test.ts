// What the command line leaves to other processes while it backs a database up, and what it needs of the system for it.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const isLinux = process.platform === "linux";
const hasThreads = isLinux && availableParallelism() > 1;
/** This process may have been started with `nice`. */
const OURS = isLinux ? niceOf("self", String(process.pid)) : 0;
const LOW = Math.max(OURS, 10);
const busy: ChildProcess[] = [];

beforeAll(() => {
  for (const mode of ["WAL", "DELETE"]) {
    // Above 8 MiB other threads help.
    runSql(
      join(folder, `${mode}.db`),
      `PRAGMA journal_mode = ${mode}; CREATE TABLE t AS SELECT zeroblob(9000000) AS a`,
    );
  }
});

afterAll(() => {
  for (const process of busy) process.kill("SIGKILL");
});

/** The nice values of the threads of a backup that takes seconds, once it has all of them. */
async function niceValues(database: string, ...options: string[]): Promise<number[]> {
  const to = join(folder, `backups of ${database}${options.join()}`);
  const args = [main, "backup", join(folder, database), "--to", to, "--max-rate", "1000000", ...options];
  const backup = spawn(process.execPath, args, { stdio: "ignore" });
  const end = once(backup, "exit");
  const pid = String(backup.pid);
  const all = () => readdirSync(`/proc/${pid}/task`).map((thread) => niceOf(pid, thread));
  try {
    for (let tries = 0; tries < 100 && !all().includes(LOW); tries++) await sleep(20);
    await sleep(200);
    return [...new Set(all())].sort((a, b) => a - b);
  } finally {
    backup.kill();
    await end;
  }
}

function niceOf(pid: string, thread: string): number {
  // The name, in brackets, may have spaces.
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").replace(/^.*\) /s, "");
  return Number(stat.split(" ")[16]);
}

test.runIf(hasThreads)("threads that help give way, and the one that must get on does not", async () => {
  const both = [...new Set([OURS, LOW])];
  expect(await niceValues("WAL.db")).toEqual(both);
  expect(await niceValues("DELETE.db")).toEqual(both);
});

test.runIf(hasThreads)("--hurry gives way to nobody", async () => {
  expect(await niceValues("WAL.db", "--hurry")).toEqual([OURS]);
});

/** Without any capability: also without the one to raise a priority. The user stays the same. */
const POWERLESS = process.getuid?.() === 0 ? ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] : [];

test.runIf(isLinux).each([[0], [15], [19]])(
  "a backup is made at nice %i, without the right to be raised",
  (nice) => {
    const to = join(folder, `nice ${nice}`);
    const [command = "", ...args] = ["nice", "-n", String(nice), ...POWERLESS, process.execPath, main];
    const more = ["backup", join(folder, "WAL.db"), "--to", to, "--json"];
    const { status, stderr, stdout } = spawnSync(command, [...args, ...more], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({ state: "done" });
  },
);

test("a backup ends in time beside processes that want all processors", async () => {
  const path = join(folder, "large.db");
  runSql(path, "PRAGMA journal_mode = WAL; CREATE TABLE t AS SELECT randomblob(30000000) AS a");
  for (let count = 0; count < 2 * availableParallelism(); count++) {
    busy.push(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
  }
  await sleep(300);
  const started = performance.now();
  const { status } = spawnSync(process.execPath, [
    main,
    "backup",
    path,
    "--to",
    join(folder, "beside busy ones"),
  ]);
  for (const process of busy.splice(0)) process.kill("SIGKILL");
  expect(status).toBe(0);
  // About one second; with what others leave alone it took over half a minute.
  expect(performance.now() - started).toBeLessThan(25_000);
}, 60_000);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
