// The system refuses one call or all of a kind (reads, writes, opens, renames …), anywhere in the middle of a command: what comes of
// it has a code of the source or of the store, says what to do, and leaves nothing. `REFUSE_RUNS=100` tries each command more often.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";
import { random } from "./random.ts";

const folder = tempFolder();
const work = join(folder, "work");
const library = join(folder, "refuse.so");
const cli = new CommandLine(work);

const COMMANDS: Record<string, string[]> = {
  backup: ["backup", "app.db", "--to", "store", "--hurry"],
  "full backup": ["backup", "app.db", "--to", "store", "--hurry", "--full"],
  restore: ["restore", "app", "--from", "store", "-o", "restored.db", "--force"],
  verify: ["verify", "app", "--from", "store", "--json"],
  "verify --restore": ["verify", "app", "--from", "store", "--restore", "--json"],
  dump: ["dump", "app.db", "-o", "app.sql", "--force"],
  "dump of a backup": ["dump", "app", "--from", "store", "-o", "app.sql", "--force"],
  check: ["check", "app.db"],
  compact: ["compact", "app.db", "-o", "small.db", "--force"],
  show: ["show", "app", "--from", "store"],
  import: ["import", "in.sql", "-o", "imported.db", "--force"],
  copy: ["copy", "app", "--from", "store", "--to", "second"],
  diff: ["diff", "app", "app.db", "--from", "store", "--since", "0000000000000001"],
  list: ["list", "app", "--from", "store"],
  salvage: ["dump", "app.db", "-o", "app.sql", "--force", "--salvage"],
  open: ["open", "app", "SELECT count(*) FROM orders", "--from", "store"],
};
const CALLS = ["read", "open", "write", "sync", "rename", "list", "delete"];
const ERRORS = ["EIO", "EMFILE", "ESTALE", "EACCES", "EDQUOT", "ENOSPC"] as const;
const RUNS = Number(process.env.REFUSE_RUNS ?? 8);
/** Which of the calls fails: commands make from ten to some hundred of them. */
const PLACES = [1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 30, 50, 90];
const ALL = 1_000_000;

beforeAll(() => {
  mkdirSync(join(work, "tmp"), { recursive: true });
  execFileSync("cc", [
    "-shared",
    "-fPIC",
    "-O1",
    "-o",
    library,
    join(import.meta.dirname, "refuse.c"),
    "-ldl",
  ]);
  runSql(join(work, "app.db"), tableSql("orders", 1500, 1000));
  cli.json("backup", "app.db", "--to", "store");
  runSql(join(work, "app.db"), "UPDATE orders SET note = 'changed' WHERE id % 40 = 0");
  cli.json("backup", "app.db", "--to", "store");
  cli.json("dump", "app.db", "-o", "in.sql");
}, 60_000);

function refused(args: string[], call: string, from: number, count: number, error: (typeof ERRORS)[number]) {
  const env = {
    ...process.env,
    TMPDIR: join(work, "tmp"),
    LD_PRELOAD: library,
    REFUSE_BELOW: work,
    REFUSE_CALL: call,
    REFUSE_FROM: `${from}`,
    REFUSE_COUNT: `${count}`,
    REFUSE_ERRNO: `${constants.errno[error]}`,
  };
  return spawnSync(process.execPath, [main, ...args], { cwd: work, env, encoding: "utf8" });
}

/** The codes of what went wrong. */
function codesOf(stdout: string, stderr: string): string[] {
  if (stderr.startsWith("{")) return [JSON.parse(stderr).error.code];
  const [, code] = /^error: .* \[([A-Z_]+)\]\n$/s.exec(stderr) ?? [];
  if (code !== undefined) return [code];
  return stdout.startsWith("{")
    ? JSON.parse(stdout).problems.map((problem: { code: string }) => problem.code)
    : [];
}

function leftovers(): string[] {
  const isTemporary = (path: string) => /\.pagemark-|\.pagemark\/tmp\/|^tmp\//.test(path);
  return readdirSync(work, { recursive: true, encoding: "utf8" }).filter(isTemporary);
}

describe.runIf(process.platform === "linux")("a call that the system refuses", () => {
  test.each(Object.entries(COMMANDS))(
    "in %s",
    (name, args) => {
      const below = random([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0);
      let failures = 0;
      for (let run = 0; run < RUNS; run++) {
        // The first run reads nothing at all.
        const call = run === 0 ? "read" : (CALLS[below(CALLS.length)] as string);
        rmSync(join(work, "second"), { recursive: true, force: true });
        const from = run === 0 ? 1 : (PLACES[below(PLACES.length)] as number);
        const count = run === 0 ? ALL : ([1, 2, ALL][below(3)] as number);
        const error = ERRORS[below(ERRORS.length)] as (typeof ERRORS)[number];
        const { status, stdout, stderr } = refused(args, call, from, count, error);
        const what = `${error} on ${call} ${from}, ${count} times: ${status} ${stderr}${stdout.slice(0, 200)}`;
        // What cannot be deleted stays until the next run that can.
        if (call === "delete") for (const left of leftovers()) rmSync(join(work, left), { force: true });
        expect(leftovers(), what).toEqual([]);
        if (status === 0 || status === 3) continue;
        failures++;
        const codes = codesOf(stdout, stderr);
        expect([status, codes.length > 0], what).toEqual([1, true]);
        for (const code of codes) expect(code, what).toMatch(/^(SOURCE|STORE)_/);
        // Which file, and what to do.
        expect(stderr + stdout, what).toMatch(
          /(app\.db|restored\.db|app\.sql|small\.db|in\.sql|imported\.db|store|second|tmp)\b.*: .*; /,
        );
      }
      // Else nothing was refused at all.
      expect(failures).toBeGreaterThan(0);
    },
    180_000,
  );

  test("leaves every backup as it was", () => {
    expect(cli.run("verify", "app", "--from", "store").status).toBe(0);
    cli.json("restore", "app", "--from", "store", "-o", "restored.db", "--force");
    const bytes = readFileSync(join(work, "restored.db"));
    expect(bytes.equals(readFileSync(join(work, "app.db")))).toBe(true);
  });
});
