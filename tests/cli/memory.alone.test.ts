// Memory of the commands that run SQLite, measured with nothing beside them.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { main } from "../support/cli.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

test("import and compact of 100 MB take less than 120 MiB more than an idle Node", () => {
  const row = "abcdefghij".repeat(100);
  const lines = ["CREATE TABLE t (id INTEGER PRIMARY KEY, a);"];
  for (let id = 0; id < 100_000; id++) lines.push(`INSERT INTO t VALUES (${id}, '${row}');`);
  writeFileSync(join(folder, "large.sql"), lines.join("\n"));
  const memory = (...args: string[]) => {
    const tell = "process.on('exit', () => console.error(process.resourceUsage().maxRSS))";
    const node = ["--import", `data:text/javascript,${encodeURIComponent(tell)}`];
    const { stderr } = spawnSync(process.execPath, [...node, ...args], {
      cwd: folder,
      encoding: "utf8",
    });
    return Number(stderr.trim().split("\n").at(-1)) / 1024;
  };
  const idle = memory("-e", "0");
  // The less of two runs: what the collector leaves lying differs by some MiB.
  const least = (command: string, from: string, to: string) =>
    Math.min(memory(main, command, from, "-o", `first-${to}`), memory(main, command, from, "-o", to));
  expect(least("import", "large.sql", "large.db") - idle).toBeLessThan(120);
  expect(least("compact", "large.db", "larger.db") - idle).toBeLessThan(120);
  const counted = "SELECT count(*), sum(length(a)) FROM t; PRAGMA integrity_check";
  const { stdout } = spawnSync("sqlite3", [join(folder, "larger.db"), counted], { encoding: "utf8" });
  expect(stdout.trim()).toBe("100000|100000000\nok");
}, 120_000);
