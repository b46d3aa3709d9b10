// Bundlers drop what a package says has no effect: the entry points have one, they find the wasm.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";

const root = join(import.meta.dirname, "../..");

test("wrangler bundles the Pagemark Worker together with both wasm modules and the entry point that loads it", () => {
  const out = tempFolder();
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(out, "logs") };
  execFileSync("wrangler", ["deploy", "--dry-run", "--outdir", out], { cwd: root, env, stdio: "pipe" });
  expect(readdirSync(out).filter((name) => name.endsWith(".wasm"))).toHaveLength(2);
  expect(readFileSync(join(out, "index.js"), "utf8")).toMatch(/usePlatform\(\{/);
}, 60_000);
