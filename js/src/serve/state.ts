// The state that a file is in, without reading it.
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";

/** Two writes within a step of the file system's clock look like one. In milliseconds. */
const STEP_MS = 50;
const DAY_MS = 24 * 3_600_000;

/**
 * Names the state that a file is in, in the form of a bookmark: another one once it has been written to. It tells exports
 * apart; only backups have bookmarks that can be restored.
 */
export function stateOf(path: string): string {
  const hash = createHash("sha256");
  let isFresh = false;
  for (const each of [path, `${path}-wal`]) {
    const stat = statSync(each, { bigint: true, throwIfNoEntry: false });
    if (!stat) continue;
    isFresh ||= Math.abs(Date.now() - Number(stat.mtimeNs / 1_000_000n)) < STEP_MS;
    hash
      .update(`${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}\0`)
      .update(headOf(each));
  }
  if (isFresh) hash.update(String(performance.now()));
  const hex = hash.digest("hex");
  const day = Math.floor(Date.now() / DAY_MS)
    .toString(16)
    .padStart(8, "0");
  return `00000000-${hex.slice(0, 8)}-${day}-${hex.slice(8, 40)}`;
}

/** The header of a database, with the counter of its changes; that of a WAL, with its salts. */
function headOf(path: string): Uint8Array {
  const head = new Uint8Array(100);
  const fd = openSync(path, "r");
  try {
    readSync(fd, head, 0, head.length, 0);
  } finally {
    closeSync(fd);
  }
  return head;
}
