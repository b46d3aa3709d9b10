// Killed at random moments, `watch` loses no sync that it acknowledged; 200 kills: `node scripts/watch-kills.mjs 200`.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const script = join(import.meta.dirname, "../../scripts/watch-kills.mjs");

test("F1 what a sync acknowledged is restored after kill -9, and never half a commit", () => {
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--no-warnings", script, "3", String(port)],
    { encoding: "utf8" },
  );
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^3 kills, \d+ commits: every acknowledged sync was restored/);
}, 120_000);
