import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { constants, setPriority } from "node:os";

/** Where a database's header says whether it has a WAL: 2 if so. */
const WRITE_VERSION = 18;

/**
 * Lets every other process go first while `database` is read, with all threads that this one has or will have. But not
 * without a WAL: who writes then waits for a lock of ours, and would wait for all other processes as well.
 */
export function giveWay(database: string): void {
  if (!hasWal(database)) return;
  const { PRIORITY_LOW } = constants.priority;
  setPriority(PRIORITY_LOW);
  if (process.platform !== "linux") return;
  // Linux keeps a priority for each thread, and Node has started its compiler's and collector's already.
  for (const thread of readdirSync("/proc/self/task")) {
    try {
      setPriority(Number(thread), PRIORITY_LOW);
    } catch {
      // It ended meanwhile.
    }
  }
  becomeIdle();
}

/** Not for what cannot be read: who opens it next says why. */
function hasWal(database: string): boolean {
  try {
    // To open a pipe would wait for who writes into it.
    if (!statSync(database).isFile()) return false;
    const file = openSync(database, "r");
    const version = new Uint8Array(1);
    try {
      readSync(file, version, 0, 1, WRITE_VERSION);
    } finally {
      closeSync(file);
    }
    return version[0] === 2;
  } catch {
    return false;
  }
}

/**
 * In Linux's idle class a thread stops at once when another one wants the processor; one of low priority goes on for
 * some milliseconds. Node cannot ask for that, `chrt` can; without it the low priority has to do.
 */
function becomeIdle(): void {
  const args = ["--all-tasks", "--idle", "--pid", "0", String(process.pid)];
  spawn("chrt", args, { stdio: "ignore" })
    .on("error", () => {})
    .unref();
}
