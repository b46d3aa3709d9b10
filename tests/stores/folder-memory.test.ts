import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

test("F9 an object of 256 MiB is put and read in less than 64 MiB", { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
  try {
    const child = join(import.meta.dirname, "folder-memory.child.ts");
    const grown = JSON.parse(execFileSync(process.execPath, [child, folder, "256"], { encoding: "utf8" }));
    expect(grown.put).toBeLessThan(64);
    // What is left of chunks that were read is collected when it comes to some 32 MiB.
    expect(grown.get).toBeLessThan(64);
    // The reader's own buffer is all that is needed.
    expect(grown.into).toBeLessThan(24);
  } finally {
    await rm(folder, { recursive: true });
  }
});
