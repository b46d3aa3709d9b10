// The module's memory is capped, and the sqlite3 shell looks at what is left of the database.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

test.each([
  ...[32, 64].flatMap((mib) =>
    ["rows", "statement", "blobs", "vacuum", "sort"].map((work) => [mib, work] as const),
  ),
  // What small commits leave of the memory is now more, now less.
  ...[40, 56, 62, 65].map((mib) => [mib, "rows"] as const),
])(
  "a database whose memory of %i MiB runs out by %s says so, and is whole",
  (mib, work) => {
    const path = join(folder, `${mib}-${work}.db`);
    const child = join(import.meta.dirname, "out-of-memory.child.ts");
    const flags = ["--experimental-strip-types", "--no-warnings"];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...flags, child, String(mib), work, path],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toEqual(["ENGINE_MEMORY"]);
    const shell = spawnSync("sqlite3", [path, "PRAGMA integrity_check"], { encoding: "utf8" });
    expect(shell.stdout).toBe("ok\n");
  },
  60_000,
);
