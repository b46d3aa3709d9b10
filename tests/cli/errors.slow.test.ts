// Every error is one line that names what it is about and says what to do, with a code and never a stack trace.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { file, memoryStore, pagemark } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { makeReadOnly, mountingRefused, onFileSystem } from "../support/mount.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);

beforeAll(() => {
  runSql(join(folder, "app.db"), tableSql("orders", 300, 1000));
  writeFileSync(join(folder, "empty.db"), "");
  writeFileSync(join(folder, "text.db"), "just text, and no database\n");
  writeFileSync(join(folder, "encrypted.db"), crypto.getRandomValues(new Uint8Array(8192)));
  mkdirSync(join(folder, "folder.db"));
  expect(cli.run("backup", "app.db", "--to", "good").status).toBe(0);
});

/** What went in is named, and the line says what to do. */
function check(args: string[], status: number, code: string, names: string, advice: RegExp): void {
  const ran = cli.run(...args);
  expect([ran.status, ran.stdout]).toEqual([status, ""]);
  expect(ran.stderr).toMatch(/^error: [^\n]+ \[[A-Z_]+\]\n$/);
  expect(ran.stderr).toContain(`[${code}]`);
  expect(ran.stderr).toContain(names);
  expect(ran.stderr).toMatch(advice);
  expect(cli.failure(...args)).toEqual([status, code]);
}

type Case = [what: string, args: string[], code: string, names: string, advice: RegExp];

const backup = (path: string) => ["backup", path, "--to", "store"];
const SOURCES: Case[] = [
  ["a missing file", backup("missing.db"), "SOURCE_MISSING", "missing.db", /check the path/],
  ["a file in a missing folder", backup("no/app.db"), "SOURCE_MISSING", "no/app.db", /check the path/],
  ["an empty file", backup("empty.db"), "DATABASE_EMPTY", "empty.db", /write a table first/],
  ["a text file", backup("text.db"), "DATABASE_NOT_SQLITE", "text.db", /check the path/],
  ["a directory", backup("folder.db"), "SOURCE_NOT_A_FILE", "folder.db", /give the database file/],
  ["an encrypted database", backup("encrypted.db"), "DATABASE_ENCRYPTED", "encrypted.db", /decrypt it first/],
];

describe("what is no database to back up", () => {
  test.each(SOURCES)("%s", (_what, args, code, names, advice) => {
    check(args, 1, code, names, advice);
    expect(readdirSync(folder)).not.toContain("store");
  });
});

describe("F8 names", () => {
  const named = (name: string) => ["backup", "app.db", "--to", "store", "--name", name];
  const REFUSED: [what: string, name: string, shown: string][] = [
    ["that leaves its folder", "../../x", "../../x: "],
    ["of 1,025 bytes", "x".repeat(1025), "xxx"],
    ["with a line break", "a\nb", "a\\u{a}b: "],
    ["that turns the text after it around", "a\u202eb", "a\\u{202e}b: "],
    ["that isolates text", "a\u2067b", "a\\u{2067}b: "],
    ["that is empty", "", "a database name is"],
    ["that is a folder", "..", "..: "],
  ];

  test.each(REFUSED)("a name %s is refused", (_what, name, shown) => {
    check(named(name), 2, "NAME_INVALID", shown, /a database name is 1 to 128 bytes/);
    expect(cli.run(...named(name)).stderr.length).toBeLessThan(400);
    for (const command of ["list", "show", "verify", "download", "restore"]) {
      expect([command, ...cli.failure(command, name, "--from", "good")]).toEqual([
        command,
        2,
        "NAME_INVALID",
      ]);
    }
  });

  test("a name with a NUL, which only a program can give, is refused; so is such a path", async () => {
    const db = pagemark(file(join(folder, "app.db")), { name: "a\0b", store: memoryStore() });
    await expect(db.backup()).rejects.toMatchObject({ code: "NAME_INVALID" });
    const path = pagemark(file(join(folder, "a\0b.db")), { name: "a", store: memoryStore() });
    await expect(path.backup()).rejects.toMatchObject({ code: "SOURCE_MISSING" });
  });

  test.each([
    "مرحبا",
    "שלום.v2",
    "日本語 データ",
    "naïve & co",
    "-",
    "CON",
    "a%2Fb",
    ".hidden",
    "x".repeat(128),
  ])("the name %j is kept in one safe folder, and comes back in a file of that name", (name) => {
    const { id } = cli.json<{ id: string }>("backup", "app.db", "--to", "names", `--name=${name}`);
    const [listed, ...more] = cli.json<{ id: string }[]>("list", "--from", "names", "--", name);
    expect([listed?.id, more]).toEqual([id, []]);
    const { file } = cli.json<{ file: string }>("download", "--from", "names", "--", name);
    expect(file).toBe(`${name}.${id.slice(0, 8)}.sqlite3`);
    expect(readFileSync(join(folder, file)).equals(readFileSync(join(folder, "app.db")))).toBe(true);
  });

  test("what its file is called is a database's name, in any script", () => {
    writeFileSync(join(folder, "مرحبا.db"), readFileSync(join(folder, "app.db")));
    expect(cli.run("backup", "مرحبا.db", "--to", "names").stderr).toBe("");
    expect(cli.json("list", "مرحبا", "--from", "names")).toHaveLength(2);
  });
});

describe("what cannot be restored, or to where", () => {
  const CASES: Case[] = [
    [
      "a database without backups",
      ["restore", "nobody", "--from", "good", "-o", "x.db"],
      "BACKUP_NONE",
      "nobody: ",
      /there is no backup under that name in good/,
    ],
    [
      "an id that is not there",
      ["download", "app", "00000000", "--from", "good"],
      "BACKUP_UNKNOWN",
      "app: ",
      /list/,
    ],
    [
      "a folder as the target",
      ["restore", "app", "--from", "good", "-o", "folder.db", "--force"],
      "SOURCE_NOT_A_FILE",
      "folder.db",
      /give another path/,
    ],
    [
      "a folder to download to",
      ["download", "app", "--from", "good", "-o", "folder.db", "--force"],
      "SOURCE_NOT_A_FILE",
      "folder.db",
      /give another path/,
    ],
    [
      "a target in a missing folder",
      ["restore", "app", "--from", "good", "-o", "no/x.db"],
      "SOURCE_MISSING",
      "no: ",
      /no such folder/,
    ],
  ];
  test.each(CASES)("%s", (_what, args, code, names, advice) => check(args, 1, code, names, advice));
});

describe("F11 disks", () => {
  const refused = mountingRefused();
  if (refused) console.warn(`skipped, as nothing can be mounted here: ${refused}`);

  test.skipIf(refused)(
    "a full disk for the store: nothing is listed, and a larger disk takes the backup",
    () => {
      onFileSystem("128k", (disk) => {
        check(["backup", "app.db", "--to", `${disk}/s`], 1, "STORE_FULL", `${disk}/s/app`, /free some space/);
        expect(cli.failure("list", "app", "--from", `${disk}/s`)).toEqual([1, "BACKUP_NONE"]);
        const left = readdirSync(disk, { recursive: true, withFileTypes: true }).filter((entry) =>
          entry.isFile(),
        );
        expect(left.map(({ name }) => name)).toEqual([]);
      });
    },
  );

  test.skipIf(refused)("a full disk for a restored file: nothing of it is left", () => {
    onFileSystem("128k", (disk) => {
      const at = ["--from", "good", "-o", `${disk}/out.db`];
      check(["restore", "app", ...at], 1, "SOURCE_FULL", `${disk}/out.db`, /free some/);
      check(["download", "app", ...at], 1, "SOURCE_FULL", `${disk}/out.db`, /free some/);
      expect(readdirSync(disk)).toEqual([]);
    });
  });

  test.skipIf(refused)("a full disk while a database is replaced: the old one stays", () => {
    onFileSystem("500k", (disk) => {
      const path = join(disk, "app.db");
      runSql(path, tableSql("old", 200, 1000));
      const before = readFileSync(path);
      const args = ["restore", "app", "--from", "good", "-o", path, "--force"];
      check(args, 1, "SOURCE_FULL", path, /free some/);
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(readdirSync(disk)).toEqual(["app.db"]);
    });
  });

  test.skipIf(refused)(
    "a read-only store: backups are listed, restored and verified, and none is added",
    () => {
      onFileSystem("4m", (disk) => {
        expect(cli.run("backup", "app.db", "--to", disk).status).toBe(0);
        makeReadOnly(disk);
        check(["backup", "app.db", "--to", disk], 1, "STORE_READ_ONLY", disk, /mount it for writing/);
        expect(cli.json("list", "app", "--from", disk)).toHaveLength(1);
        expect(cli.run("verify", "app", "--from", disk).status).toBe(0);
        expect(cli.run("restore", "app", "--from", disk, "-o", "from-read-only.db").status).toBe(0);
        check(
          ["restore", "app", "--from", "good", "-o", `${disk}/x.db`],
          1,
          "SOURCE_READ_ONLY",
          disk,
          /read-only/,
        );
      });
    },
  );
});
