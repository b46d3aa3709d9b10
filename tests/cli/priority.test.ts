// What the command line leaves to other processes while it backs a database up.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { main } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const canBeIdle = process.platform === "linux" && spawnSync("chrt", ["--version"]).status === 0;
/** The classes of Linux's scheduler, in `/proc/<pid>/stat`. */
const [OTHER, IDLE] = ["0", "5"];

beforeAll(() => {
  for (const mode of ["WAL", "DELETE"]) {
    const sql = `PRAGMA journal_mode = ${mode}; CREATE TABLE t AS SELECT randomblob(1000000) AS a`;
    runSql(join(folder, `${mode}.db`), sql);
  }
});

/** Class and nice value of the threads of a backup that takes seconds, once they are all alike. */
async function threads(database: string, ...options: string[]): Promise<string[]> {
  const to = join(folder, `backups of ${database}${options.join()}`);
  const args = [main, "backup", join(folder, database), "--to", to, "--max-rate", "100000", ...options];
  const backup = spawn(process.execPath, args, { stdio: "ignore" });
  const end = once(backup, "exit");
  try {
    let seen: string[] = [];
    // The class is changed by another process, which has to be started first.
    for (let tries = 0; tries < 100 && !seen.includes(`${IDLE} 19`); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      seen = classes(backup.pid ?? 0);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    return [...new Set(classes(backup.pid ?? 0))];
  } finally {
    backup.kill();
    await end;
  }
}

function classes(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    // The name, in brackets, may have spaces.
    const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return `${fields[38]} ${fields[16]}`;
  });
}

test.runIf(canBeIdle)("every thread of a backup gives way at once to who writes", async () => {
  expect(await threads("WAL.db")).toEqual([`${IDLE} 19`]);
});

test.runIf(canBeIdle)("whoever holds a lock that writers wait for does not wait for everybody", async () => {
  expect(await threads("DELETE.db")).toEqual([`${OTHER} 0`]);
});

test.runIf(canBeIdle)("--hurry gives way to nobody", async () => {
  expect(await threads("WAL.db", "--hurry")).toEqual([`${OTHER} 0`]);
});

test("a backup is made without chrt, too", () => {
  const to = join(folder, "without");
  const { status } = spawnSync(process.execPath, [main, "backup", join(folder, "WAL.db"), "--to", to], {
    env: { ...process.env, PATH: folder },
  });
  expect(status).toBe(0);
});
