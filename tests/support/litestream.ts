// The unmodified litestream 0.5.17, run as its users run it.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

export const litestream = join(import.meta.dirname, "../../.cache/bin/litestream");

/** What `litestream restore` makes of a replica; throws what it says where it refuses. */
export function litestreamRestore(replica: string, ...options: string[]): Buffer {
  const output = `${replica}.restored-by-litestream`;
  try {
    run("restore", ...options, "-o", output, `file://${replica}`);
    return readFileSync(output);
  } finally {
    rmSync(output, { force: true });
  }
}

/** The same; nothing where litestream runs and refuses. */
export function litestreamRestoreIfItCan(replica: string, ...options: string[]): Buffer | undefined {
  run("version"); // a litestream that is missing refuses nothing
  try {
    return litestreamRestore(replica, ...options);
  } catch {
    return undefined;
  }
}

/** Brings a replica up to date with the database, and ends. */
export function litestreamOnce(database: string, replica: string): void {
  execFileSync(litestream, ["replicate", "-once", database, `file://${replica}`], { stdio: "pipe" });
}

function run(...args: string[]): void {
  const { status, stderr, error } = spawnSync(litestream, args, { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`litestream ${args.join(" ")}: ${stderr}`);
}
