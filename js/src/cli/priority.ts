import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";

/** Lets every other process go first, with all threads that this one has or will have. */
export function giveWay(): void {
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
