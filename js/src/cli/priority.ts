import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";

/** Lets every other process go first, with all threads that this one has or will have. */
export function lowerPriority(): void {
  const { PRIORITY_LOW } = constants.priority;
  setPriority(PRIORITY_LOW);
  // Linux keeps a priority for each thread, and Node has started its compiler's and collector's already.
  if (process.platform === "linux") {
    for (const thread of readdirSync("/proc/self/task")) {
      try {
        setPriority(Number(thread), PRIORITY_LOW);
      } catch {
        // It ended meanwhile.
      }
    }
  }
}
