// Small file systems of a test's own.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why nothing can be mounted here; nothing when it can. */
export function mountingRefused(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-mount-"));
  const { status, stderr, error } = spawnSync("mount", ["-t", "tmpfs", "none", folder], { encoding: "utf8" });
  if (status === 0) execFileSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** Runs `use` with a file system of `size` (such as `64k`) in memory, which goes again. */
export function onFileSystem(size: string, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-mount-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", folder]);
  try {
    use(folder);
  } finally {
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  }
}

export function makeReadOnly(folder: string): void {
  execFileSync("mount", ["-o", "remount,ro", folder]);
}
