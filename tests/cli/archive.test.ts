// Backups in one file, `.tar.gz`: what stock tar makes and unpacks, and what is refused.
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";
import { beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const path = (name: string) => join(folder, name);
/** An object of the store. */
const NEWEST = "app/ltx/0/0000000000000002-0000000000000002.ltx";

beforeAll(() => {
  runSql(path("app.db"), tableSql("orders", 200));
  expect(cli.run("backup", "app.db", "--to", "store").status).toBe(0);
  runSql(path("app.db"), "DELETE FROM orders WHERE id > 100");
  expect(cli.run("backup", "app.db", "--to", "store").status).toBe(0);
});

describe("E13 an archive", () => {
  test("is made of a store, opens in tar, and its backups are listed, restored and copied out of it", () => {
    expect(cli.run("copy", "app", "--from", "store", "--to", "app.tar.gz").status).toBe(0);
    mkdirSync(path("unpacked"));
    execFileSync("tar", ["-xf", path("app.tar.gz"), "-C", path("unpacked")]);
    expect(cli.json<unknown[]>("list", "app", "--from", "unpacked")).toHaveLength(2);
    cli.json("restore", "app", "--from", "app.tar.gz", "-o", "restored.db");
    expect(readFileSync(path("restored.db")).equals(readFileSync(path("app.db")))).toBe(true);
    const again = cli.run("copy", "app", "--from", "store", "--to", "app.tar.gz");
    expect([again.status, again.stderr]).toEqual([1, expect.stringMatching(/TARGET_EXISTS/)]);
    const backup = cli.run("backup", "app.db", "--to", "app.tar.gz");
    expect([backup.status, backup.stderr]).toEqual([1, expect.stringMatching(/STORE_READ_ONLY/)]);
  });

  test("keeps when what is in it was stored, to the millisecond; of tar's own, to the second", () => {
    const times = (store: string, unit: number) => {
      const files = readdirSync(path(store), { recursive: true, encoding: "utf8" }).filter((name) =>
        /\.(ltx|json)$/.test(name),
      );
      return files.sort().map((name) => Math.floor(statSync(join(path(store), name)).mtimeMs / unit));
    };
    utimesSync(path(`store/${NEWEST}`), 1_700_000_000.631, 1_700_000_000.631);
    expect(cli.run("copy", "app", "--from", "store", "--to", "times.tar.gz").status).toBe(0);
    expect(cli.run("copy", "app", "--from", "times.tar.gz", "--to", "times").status).toBe(0);
    expect(times("times", 1)).toEqual(times("store", 1));
    execFileSync("tar", ["-zcf", path("second.tgz"), "-C", path("store"), "app"]);
    expect(cli.run("copy", "app", "--from", "second.tgz", "--to", "seconds").status).toBe(0);
    expect(times("seconds", 1000)).toEqual(times("store", 1000));
  });

  test("that tar made, from wherever the folder was, is read", () => {
    execFileSync("tar", ["-zcf", path("made.tgz"), "-C", folder, "./store"]);
    expect(cli.json<unknown[]>("list", "app", "--from", "made.tgz")).toHaveLength(2);
  });

  const one = (name: string, more: Partial<TarEntry["header"]> = {}): TarEntry => {
    const body = more.type === undefined ? "x" : "";
    return { header: { name, size: body.length, ...more }, body };
  };
  const BAD: [string, () => Promise<TarEntry[]> | TarEntry[], RegExp][] = [
    ["a name that leads out", () => [one("../app/ltx/x")], /no name of a file/],
    ["a name that leads out further in", () => [one("app/ltx/../../../x")], /no name of a file/],
    ["an absolute name", () => [one("/tmp/app/ltx/x")], /no name of a file/],
    ["a symbolic link", () => [one("app/ltx/x", { type: "symlink", linkname: "/etc" })], /is a symlink/],
    ["a hard link", () => [one("app/ltx/x", { type: "link", linkname: "app/ltx/y" })], /is a link/],
    ["a device", () => [one("app/ltx/x", { type: "character-device" })], /is a character-device/],
    ["a name twice", () => [one("app/ltx/x"), one("./app/ltx/x")], /is in it twice/],
    ["a file below a file", () => [one("app/ltx"), one("app/ltx/x")], /"app\/ltx\/x" is in it twice/],
    ["a file where a folder is", () => [one("app/ltx/x"), one("app/ltx")], /"app\/ltx" is in it twice/],
    ["two folders of backups", () => [one("a/app/ltx/x"), one("b/app/ltx/x")], /more than one place/],
    ["no backups", () => [one("readme")], /has no backups/],
    ["more than it can hold", () => [one("app/ltx/x"), bomb()], /unpacks to more than/],
  ];
  const bomb = (): TarEntry => {
    const body = new Uint8Array(50 << 20);
    return { header: { name: "app/ltx/y", size: body.length }, body };
  };
  for (const [what, entries, message] of BAD) {
    test(`with ${what} is refused`, async () => {
      writeFileSync(path("bad.tar.gz"), gzipSync(await packTar(await entries())));
      const { status, stderr } = cli.run("list", "app", "--from", "bad.tar.gz");
      expect([status, stderr]).toEqual([1, expect.stringMatching(message)]);
      expect(stderr).toMatch(/\[ARCHIVE_REFUSED\]$/m);
    });
  }

  test("that is cut off, or none at all, is refused", () => {
    const whole = readFileSync(path("app.tar.gz"));
    writeFileSync(path("cut.tar.gz"), whole.subarray(0, whole.length / 2));
    expect(cli.run("list", "app", "--from", "cut.tar.gz").stderr).toMatch(/\[GZIP_DAMAGED\]/);
    writeFileSync(path("none.tar.gz"), gzipSync(Buffer.alloc(2000, "no archive ")));
    expect(cli.run("list", "app", "--from", "none.tar.gz").stderr).toMatch(/\[ARCHIVE_REFUSED\]/);
    expect(cli.run("list", "app", "--from", "absent.tar.gz").status).toBe(1);
  });

  test("made by tar of a folder with a symbolic link is refused", () => {
    mkdirSync(path("linked/app/ltx"), { recursive: true });
    symlinkSync("/etc/passwd", path("linked/app/ltx/x"));
    execFileSync("tar", ["-zcf", path("linked.tar.gz"), "-C", path("linked"), "app"]);
    expect(cli.run("list", "app", "--from", "linked.tar.gz").stderr).toMatch(/\[ARCHIVE_REFUSED\]/);
  });
});
