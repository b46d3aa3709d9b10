// Verifications are noted down, also of a part, and told.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const cli = new CommandLine(tempFolder());
const at = (...names: string[]) => join(cli.folder, ...names);
const args = ["app", "--from", "store"];

interface Listed {
  id: string;
  verified_at: string | null;
  sampled_at: string | null;
}

beforeAll(() => {
  runSql(at("app.db"), "CREATE TABLE t (a)");
  for (let i = 0; i < 3; i++) {
    runSql(at("app.db"), `INSERT INTO t VALUES (${i})`);
    expect(cli.run("backup", "app.db", "--to", "store").status).toBe(0);
  }
});

test("n of t parts read every object once, and a part that is damaged is found in one of them", () => {
  const parts = [1, 2, 3].map(
    (part) => cli.json<{ bytes: number }>("verify", ...args, "--sample", `${part}/3`).bytes,
  );
  const all = cli.json<{ bytes: number }>("verify", ...args).bytes;
  expect(parts.reduce((sum, bytes) => sum + bytes, 0)).toBe(all);
  expect(Math.max(...parts)).toBeLessThan(all);
  const [file = ""] = readdirSync(at("store/app/ltx/0"));
  const path = at("store/app/ltx/0", file);
  const bytes = readFileSync(path);
  writeFileSync(
    path,
    bytes.map((byte, index) => (index === 120 ? byte ^ 1 : byte)),
  );
  // One of the three parts has what is damaged.
  const failed = [1, 2, 3].map((part) => cli.run("verify", ...args, "--sample", `${part}/3`).status ?? -1);
  expect(failed.toSorted((one, other) => one - other)).toEqual([0, 0, 1]);
  // What is missing is found in any part.
  rmSync(path);
  expect(cli.run("verify", ...args, "--sample", "1%").status).toBe(1);
  writeFileSync(path, bytes);
  for (const wrong of ["0%", "101%", "4/3", "0/3", "x"])
    expect(cli.failure("verify", ...args, "--sample", wrong)).toEqual([2, "USAGE"]);
});

test("when a backup was verified is listed, what is newer is not, and a damaged note says nothing", () => {
  expect(cli.run("verify", ...args).status).toBe(0);
  const [newest] = cli.json<Listed[]>("list", ...args);
  expect(Date.parse(newest?.verified_at ?? "")).toBeGreaterThan(Date.now() - 60_000);
  runSql(at("app.db"), "INSERT INTO t VALUES (9)");
  cli.run("backup", "app.db", "--to", "store");
  expect(cli.json<Listed[]>("list", ...args).map(({ verified_at }) => verified_at !== null)).toEqual([
    false,
    true,
    true,
    true,
  ]);
  expect(cli.run("list", ...args).stdout).toMatch(/^verified: 3 of 4 last \d{4}-/m);
  const notes = readdirSync(at("store/app/pagemark")).filter((name) => name.startsWith("verified-"));
  expect(notes).toHaveLength(1);
  for (const damaged of ["{", note("next week"), note({ a: 1 }), note(null)]) {
    writeFileSync(at("store/app/pagemark", notes[0] ?? ""), damaged);
    expect(cli.json<Listed[]>("list", ...args).every(({ verified_at }) => verified_at === null)).toBe(true);
    expect(cli.run("list", ...args)).toMatchObject({ status: 0, stderr: "" });
  }

  function note(verified: unknown): string {
    return JSON.stringify({ version: 1, backups: { [newest?.id ?? ""]: { verified } } });
  }
});
