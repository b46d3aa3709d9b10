// `prune` and `delete`, as an operator's cron uses them.
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type BackupJson, CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const cli = new CommandLine(folder);
const ids: string[] = [];

beforeAll(() => {
  runSql(join(folder, "app.db"), tableSql("orders", 3));
  for (const options of [["--tag", "v1"], [], ["--full", "--note", "before the move"]])
    ids.push(cli.json<BackupJson>("backup", "app.db", "--to", "store", ...options).id);
});

test("tags and notes are listed and shown", () => {
  const [tagged = "", , newest = ""] = ids;
  const { stdout } = cli.run("list", "app", "--from", "store");
  expect(stdout).toContain(`${newest.slice(0, 8)}: before the move\n${tagged.slice(0, 8)}: tag v1\n`);
  expect(cli.run("show", "app", tagged, "--from", "store").stdout).toMatch(/^tag +v1$/m);
});

test("what would go is said first, and then it goes", () => {
  const rules = ["--from", "store", "--keep-last", "1"];
  const [tagged, second, newest] = ids;
  type Pruned = { removed: BackupJson[]; kept: (BackupJson & { reasons: string[] })[] };
  const dry = cli.json<Pruned>("prune", "app", ...rules, "--dry-run");
  expect(dry.removed.map(({ id }) => id)).toEqual([second]);
  expect(dry.kept).toMatchObject([
    { id: newest, note: "before the move", reasons: ["last", "newest"] },
    { id: tagged, tag: "v1", reasons: ["pinned"] },
  ]);
  const { status, stdout } = cli.run("prune", "app", ...rules);
  expect(status).toBe(0);
  expect(stdout).toMatch(/1 of 3 backups deleted, [\d.]+ k?B\n$/);
  expect(cli.json<{ deleted: BackupJson }>("delete", "app", tagged ?? "", "--from", "store").deleted.id).toBe(
    tagged,
  );
  expect(cli.json<BackupJson[]>("list", "app", "--from", "store").map(({ id }) => id)).toEqual([newest]);
});

test("a rule that is none, and none at all, are wrong usage", () => {
  expect(cli.failure("prune", "app", "--from", "store")).toEqual([2, "USAGE"]);
  expect(cli.failure("prune", "app", "--from", "store", "--keep-daily", "x")).toEqual([2, "USAGE"]);
  expect(cli.failure("prune", "app", "--from", "store", "--keep-within", "30")).toEqual([2, "USAGE"]);
});
