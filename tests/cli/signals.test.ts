// A command that is asked to end, or killed: by what code it says so, and what stays behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const temporary = join(folder, "tmp");
const cli = new CommandLine(folder);

beforeAll(() => {
  mkdirSync(temporary);
  runSql(join(folder, "app.db"), tableSql("orders", 3000, 1000));
  cli.json("backup", "app.db", "--to", "store");
});

function start(...args: string[]): ChildProcess {
  const env = { ...process.env, TMPDIR: temporary };
  return spawn(process.execPath, [main, ...args], { cwd: folder, env, stdio: ["pipe", "pipe", "pipe"] });
}

/** A command in the middle of its work: it waits for the rest of its input. */
function startImport(output: string): ChildProcess {
  const child = start("import", "-", "-o", output, "--force");
  child.stdin?.on("error", () => {});
  child.stdin?.write("CREATE TABLE t (a);\n");
  return child;
}

/** A backup that takes seconds, once it writes. */
async function startBackup(): Promise<ChildProcess> {
  const child = start("backup", "app.db", "--to", "slow", "--full", "--max-rate", "800kB", "--hurry");
  await expect.poll(() => filesOf(child).length, { timeout: 20_000 }).toBeGreaterThan(0);
  return child;
}

/** What it is writing into the store. */
function filesOf({ pid }: ChildProcess): string[] {
  return leftIn("slow/.pagemark/tmp").filter((name) => name.includes(`.${pid}.`));
}

function leftIn(path: string): string[] {
  const found = join(folder, path);
  return existsSync(found) ? readdirSync(found) : [];
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<[unknown, unknown]> {
  const closed = once(child, "close");
  child.kill(signal);
  const [code, by] = await closed;
  return [code, by];
}

const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

describe.each(Object.entries(CODES) as [keyof typeof CODES, number][])("%s", (signal, code) => {
  test(`ends a backup with exit code ${code}, and nothing of it is left`, async () => {
    const child = await startBackup();
    let stderr = "";
    child.stderr?.on("data", (text) => (stderr += text));
    expect(await ended(child, signal)).toEqual([code, null]);
    expect(stderr).toBe("error: canceled; nothing half-done is left [CANCELED]\n");
    expect(
      readdirSync(join(folder, "slow"), { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      ),
    ).toEqual([]);
  });
});

test("a command that writes to a pipe which nobody reads is ended all the same", async () => {
  const child = start("dump", "app.db");
  // The pipe is full by now.
  await once(child.stdout as NodeJS.ReadableStream, "readable");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const [code, by] = await ended(child, "SIGTERM");
  expect(code ?? by).toSatisfy((end: unknown) => end === 143 || end === "SIGTERM");
});

describe("what a kill leaves goes at the next run", () => {
  test("in the store", async () => {
    expect(await ended(await startBackup(), "SIGKILL")).toEqual([null, "SIGKILL"]);
    expect(leftIn("slow/.pagemark/tmp")).not.toEqual([]);
    cli.json("backup", "app.db", "--to", "slow", "--hurry");
    expect(leftIn("slow/.pagemark/tmp")).toEqual([]);
  });

  test("but not what a process that runs still writes", async () => {
    const child = await startBackup();
    const before = filesOf(child);
    cli.json("backup", "app.db", "--to", "slow", "--name", "other", "--hurry");
    expect(filesOf(child)).toEqual(before);
    expect(await ended(child, "SIGTERM")).toEqual([143, null]);
  });

  test("beside a target, and in the folder for temporary files, where nothing has a name for long", async () => {
    const tag = await tagOfTheDead();
    const names = [`.out.db.pagemark-${tag}`, `.other.sql.pagemark-${tag}`];
    for (const name of names) writeFileSync(join(folder, name), "half a database");
    writeFileSync(join(temporary, `pagemark-${tag}`), "a copy");
    // As an archive is unpacked into.
    mkdirSync(join(temporary, `pagemark-${tag.replace(/.$/, "f")}`, "app/ltx"), { recursive: true });
    cli.json("restore", "app", "--from", "store", "-o", "out.db");
    expect(readdirSync(folder).filter((name) => name.includes("pagemark-"))).toEqual([]);
    const check = start("check", "app.db");
    expect(await once(check, "close")).toEqual([0, null]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("of an archive, which is unpacked and packed in folders", async () => {
    const copy = start("copy", "--from", "store", "--to", "app.tar.gz");
    await expect.poll(() => readdirSync(temporary).length, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(await ended(copy, "SIGKILL")).toEqual([null, "SIGKILL"]);
    const [left = ""] = readdirSync(temporary);
    expect(left).toMatch(/^pagemark-/);
    expect(await once(start("copy", "--from", "store", "--to", "app.tar.gz"), "close")).toEqual([0, null]);
    expect(await once(start("list", "--from", "app.tar.gz"), "close")).toEqual([0, null]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("but of another machine, or another container, only what is a day old", async () => {
    const [, ...rest] = (await tagOfTheDead()).split(".");
    const name = `.out.db.pagemark-${["0123456789ab", ...rest].join(".")}`;
    const path = join(folder, name);
    writeFileSync(path, "half a database, which somebody writes");
    cli.json("restore", "app", "--from", "store", "-o", "out.db", "--force", "--no-safety");
    expect(existsSync(path)).toBe(true);
    utimesSync(path, new Date(), new Date(Date.now() - 86_500_000));
    cli.json("restore", "app", "--from", "store", "-o", "out.db", "--force", "--no-safety");
    expect(existsSync(path)).toBe(false);
  });

  test("a copy of a database has no name as soon as it is open", async () => {
    const child = startImport("imported.db");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(readdirSync(temporary)).toEqual([]);
    await ended(child, "SIGINT");
    expect(readdirSync(folder).filter((name) => name.includes("imported.db"))).toEqual([]);
  });
});

test("two runs that write to one folder do not remove each other's files", async () => {
  const child = await startBackup();
  const mine = filesOf(child).map((name) => `.out.db.pagemark-${name.replace("~", "")}`);
  for (const name of mine) writeFileSync(join(folder, name), "of a process that runs");
  cli.json("restore", "app", "--from", "store", "-o", "out.db", "--force", "--no-safety");
  for (const name of mine) {
    expect(readFileSync(join(folder, name), "utf8")).toBe("of a process that runs");
    rmSync(join(folder, name));
  }
  await ended(child, "SIGKILL");
});

/** What the files of a process are called that has been killed. */
async function tagOfTheDead(): Promise<string> {
  const child = await startBackup();
  const [name = ""] = filesOf(child);
  await ended(child, "SIGKILL");
  expect(name).toMatch(/^[0-9a-f]{12}\.\d+\.\d+\.[0-9a-f]{8}~$/);
  return name.slice(0, -1);
}
