import { readdirSync, readFileSync, statSync } from "node:fs";

/** Names a process that has the file at `path` open. Only Linux tells, and only of processes of the same user. */
export function userOf(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!file) return undefined;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      const open = look(`/proc/${pid}/fd/${fd}`);
      if (open?.ino !== file.ino || open.dev !== file.dev) continue;
      return Number(pid) === process.pid ? "this process" : `process ${pid}${commandOf(pid)}`;
    }
  }
  return undefined;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // The process is another user's, or has ended.
    return [];
  }
}

function look(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function commandOf(pid: string): string {
  try {
    return ` (${readFileSync(`/proc/${pid}/comm`, "utf8").trim()})`;
  } catch {
    return "";
  }
}
