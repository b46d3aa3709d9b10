// Where commands write: never over what they read, and to standard output as to a file.
import { execFileSync, spawnSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine, main } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const app = join(folder, "app.db");

beforeAll(() => {
  runSql(app, tableSql("orders", 100, 1000));
  linkSync(app, join(folder, "hard.db"));
  symlinkSync("app.db", join(folder, "soft.db"));
  cli.json("backup", "app.db", "--to", "store");
  cli.json("dump", "app.db", "-o", "app.sql");
  mkdirSync(join(folder, "d"));
});

/** The command's standard output, with bytes as its input. */
function piped(
  args: string[],
  input: Uint8Array | string = "",
): { out: Buffer; status: number | null; err: string } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], { cwd: folder, input });
  return { out: stdout, status, err: String(stderr) };
}

describe("what a command reads is not replaced by what it writes", () => {
  const ltx = "store/app/ltx/9/0000000000000001-0000000000000001.ltx";
  test.each([
    ["its source", ["dump", "app.db", "-o", "app.db"]],
    ["its source by another path", ["dump", "app.db", "-o", "./d/../app.db"]],
    ["its source by a symbolic link", ["dump", "app.db", "-o", "soft.db"]],
    ["its source by a hard link", ["dump", "app.db", "-o", "hard.db"]],
    ["its source, with what is left out", ["dump", "app.db", "--no-data", "-o", "app.db"]],
    ["the database that is compacted", ["compact", "app.db", "-o", "app.db"]],
    ["the SQL that is imported", ["import", "app.sql", "-o", "app.sql"]],
    ["an object of the store", ["download", "app", "--from", "store", "-o", ltx]],
    ["an object of the store by a dump", ["dump", "app", "--from", "store", "-o", ltx]],
    ["a place among the objects", ["restore", "app", "--from", "store", "-o", "store/app/new.db"]],
  ])("%s", (_what, args) => {
    const before = readFileSync(app);
    expect(cli.failure(...args, "--force")).toEqual([1, "TARGET_IS_SOURCE"]);
    expect(readFileSync(app).equals(before)).toBe(true);
    expect(cli.run("verify", "app", "--from", "store").status).toBe(0);
  });

  test("a folder's name, with a slash at its end, is no file's", () => {
    expect(cli.failure("dump", "app.db", "-o", "new.sql/")).toEqual([2, "USAGE"]);
  });

  test("a database that somebody has open is not replaced by SQL, nor is its WAL", () => {
    const path = join(folder, "open.db");
    runSql(path, `PRAGMA journal_mode = WAL; ${tableSql("a", 5)}`);
    const db = new DatabaseSync(path);
    db.exec("INSERT INTO a (note) VALUES ('in the WAL')");
    for (const target of ["open.db", "open.db-wal", "open.db-shm"])
      expect([target, ...cli.failure("dump", "app.db", "-o", target, "--force")]).toEqual([
        target,
        1,
        "SOURCE_IN_USE",
      ]);
    expect(db.prepare("SELECT count(*) AS n FROM a").get()).toEqual({ n: 6 });
    db.close();
  });

  test("links are followed, also one that leads nowhere yet; what is no file is not replaced", () => {
    writeFileSync(join(folder, "old.sql"), "old");
    symlinkSync("old.sql", join(folder, "to-old.sql"));
    symlinkSync("d/new.sql", join(folder, "to-new.sql"));
    for (const [link, target] of [
      ["to-old.sql", "old.sql"],
      ["to-new.sql", "d/new.sql"],
    ] as const) {
      cli.json("dump", "app.db", "-o", link, "--force");
      expect(lstatSync(join(folder, link)).isSymbolicLink()).toBe(true);
      expect(readFileSync(join(folder, target), "utf8")).toContain("CREATE TABLE");
    }
    for (const target of ["d", "/dev/null"])
      expect(cli.failure("dump", "app.db", "-o", target, "--force")).toEqual([1, "SOURCE_NOT_A_FILE"]);
    expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
  });
});

describe("- is standard output, and standard input", () => {
  test("for every command that makes a file", () => {
    const bytes = readFileSync(app);
    for (const command of ["restore", "download"])
      expect(piped([command, "app", "--from", "store", "-o", "-"]).out.equals(bytes)).toBe(true);
    const sql = readFileSync(join(folder, "app.sql"));
    expect(piped(["dump", "-", "-o", "-"], bytes).out.equals(sql)).toBe(true);
    for (const { out } of [
      piped(["compact", "-", "-o", "-"], bytes),
      piped(["import", "-", "-o", "-"], sql),
    ]) {
      writeFileSync(join(folder, "made.db"), out);
      const count = execFileSync("sqlite3", [join(folder, "made.db"), "SELECT count(*) FROM orders"]);
      expect(String(count)).toBe("100\n");
    }
    expect(piped(["check", "-"], bytes).status).toBe(0);
    expect(piped(["backup", "-", "--name", "piped", "--to", "store"], bytes).status).toBe(0);
    expect(piped(["download", "piped", "--from", "store", "-o", "-"]).out.equals(bytes)).toBe(true);
  });

  test("--json needs a file, and a backup a name", () => {
    for (const args of [
      ["dump", "app.db"],
      ["download", "app", "--from", "store", "-o", "-"],
    ])
      expect(cli.failure(...args)).toEqual([2, "USAGE"]);
    expect(piped(["backup", "-", "--to", "store"], readFileSync(app)).err).toContain("--name");
    expect(piped(["check", "-"], "no database").err).toContain("[DATABASE_NOT_SQLITE]");
    expect(cli.failure("dump", "app.db", "-o", "")).toEqual([2, "USAGE"]);
  });

  test.runIf(process.platform === "linux")("a full disk behind it is said, whatever is printed", () => {
    for (const args of [["dump", "app.db"], ["list", "app", "--from", "store"], ["--help"]]) {
      const command = `"${process.execPath}" "${main}" ${args.join(" ")} > /dev/full`;
      const { status, stderr } = spawnSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" });
      expect([args, status, stderr]).toEqual([
        args,
        1,
        expect.stringMatching(/^error: standard output: .*full.* \[SOURCE_FULL\]\n$/),
      ]);
    }
  });
});

test("what the system refuses is said with a code, and never as a defect of ours", () => {
  writeFileSync(join(folder, "cut.gz"), spawnSync("gzip", ["-c", app]).stdout.subarray(0, 60));
  const failures = [
    cli.failure("import", "nosuch.sql", "-o", "i.db"),
    cli.failure("import", "d", "-o", "i.db"),
    cli.failure("import", "cut.gz", "-o", "i.db"),
    cli.failure("import", "app.sql", "-o", "no/i.db"),
  ];
  const codes = ["SOURCE_MISSING", "SOURCE_NOT_A_FILE", "GZIP_DAMAGED", "SOURCE_MISSING"];
  expect(failures).toEqual(codes.map((code) => [1, code]));
  for (const args of [
    ["check", "app.db"],
    ["compact", "app.db", "-o", "c.db"],
  ]) {
    const env = { ...process.env, TMPDIR: "/nonexistent" };
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], {
      cwd: folder,
      env,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: \/nonexistent: .*TMPDIR.* \[SOURCE_MISSING\]\n$/),
    ]);
  }
});

test("a restore that is refused keeps no safety backup", () => {
  const db = new DatabaseSync(app);
  db.prepare("SELECT 1 FROM orders").all();
  const files = () => readdirSync(join(folder, "store/app"), { recursive: true }).sort();
  const before = files();
  expect(cli.failure("restore", "app", "--from", "store", "-o", "app.db", "--force")).toEqual([
    1,
    "SOURCE_IN_USE",
  ]);
  db.close();
  expect(files()).toEqual(before);
});

test("numbers as people write them, and what there is none of", () => {
  expect(cli.run("backup", "app.db", "--to", "rates", "--max-rate", "5MB").status).toBe(0);
  for (const rate of ["0", "-1", "5XB", ""])
    expect(cli.run("backup", "app.db", "--to", "rates", `--max-rate=${rate}`).status).toBe(2);
  const { status, stderr } = cli.run("backup", "app.db", "--to", "rates", "--pages", "100000");
  expect([status, stderr]).toEqual([0, expect.stringMatching(/^note: --pages 100000: .* 64 pages/)]);
});

test("help on what is not there says so, wherever the word stands", () => {
  for (const line of ["help nosuch", "nosuch --help", "-h nosuch", "help key nosuch", "key help nosuch"]) {
    const { status, stdout, stderr } = cli.run(...line.split(" "));
    expect([status, stdout, stderr]).toEqual([2, "", "error: unknown command 'nosuch'\n"]);
  }
  const usages = {
    "help help": "[options] [command]",
    "-h list": "list [options] [name]",
    "--locality a=1 list --help": "list [options] [name]",
    "help key list": "key list [options]",
    "key help list": "key list [options]",
  };
  for (const [line, usage] of Object.entries(usages)) {
    const { status, stdout } = cli.run(...line.split(" "));
    expect([status, stdout.split("\n")[0]]).toEqual([0, `Usage: pagemark ${usage}`]);
  }
});

test.each([40, 80])("help fits %i columns, also what is below a command's options", (columns) => {
  for (const args of [["--help"], ["d1", "--help"], ["serve", "--help"], ["download", "--help"]]) {
    const { stdout } = cli.runWith({ COLUMNS: String(columns) }, ...args);
    // What can be typed stays in one piece.
    const isText = (line: string) => !/^Usage|^ {2}\w+ \[options\]|^ *\S+$/.test(line);
    expect(stdout.split("\n").filter((line) => isText(line) && line.length > columns)).toEqual([]);
    expect(stdout).not.toContain("default: []");
  }
});

test("an empty variable is none, and a switch is on or off", () => {
  const restore = ["restore", "app", "--from", "store", "-o", "app.db"];
  for (const off of ["", "0", "false", "No"]) {
    const env = { PAGEMARK_FORCE: off, PAGEMARK_LOCALITY: "", PAGEMARK_AT: "", PAGEMARK_MAX_RATE: "" };
    expect(cli.runWith(env, ...restore), off).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\[TARGET_EXISTS\]/),
    });
  }
  const unclear = cli.runWith({ PAGEMARK_FORCE: "never", PAGEMARK_JSON: "yes" }, ...restore);
  expect([unclear.status, JSON.parse(unclear.stderr).error.message]).toEqual([
    2,
    expect.stringContaining("PAGEMARK_FORCE must be 1 or 0"),
  ]);
});

test("a command that a hook runs does not take the hook's database for its own name", () => {
  const hook = `${process.execPath} ${main} --quiet backup app.db --to inner`;
  expect(cli.run("backup", "app.db", "--to", "outer", "--name", "shop", "--exec-before", hook)).toMatchObject(
    { status: 0 },
  );
  expect([readdirSync(join(folder, "outer")), readdirSync(join(folder, "inner"))]).toEqual([
    expect.arrayContaining(["shop"]),
    expect.arrayContaining(["app"]),
  ]);
});
