// docs/compatibility.md is made of the tests' titles, and lacks none that it promises.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

test("E14 what is promised, and published in docs/compatibility.md, has tests or a reason", () => {
  const args = [join(root, "scripts/compatibility.mjs"), "--rows"];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});
