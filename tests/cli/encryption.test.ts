// Encrypted stores at the command line: keys from the environment, exit codes, and no secret in any output.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { expect, test } from "vitest";
import { folder } from "../../js/dist/entry/node.js";
import { CommandLine } from "../support/cli.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const cli = new CommandLine(tempFolder());
const path = (name: string) => join(cli.folder, name);
const [own, second, other] = await Promise.all([1, 2, 3].map(() => generateX25519Identity()));

test("F10 a folder is encrypted by the key of a file, and opened by that and its recipients only", async () => {
  runSql(path("app.db"), "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  writeFileSync(path("plan.toml"), 'store = "vault"\n[[databases]]\nfile = "app.db"\n');
  writeFileSync(path("key.txt"), `# created: today\n# public key: age1…\n${own}\n`);
  const byFile = {
    PAGEMARK_AGE_IDENTITY: path("key.txt"),
    PAGEMARK_AGE_RECIPIENTS: await identityToRecipient(second ?? ""),
  };
  const outputs: string[] = [];
  const run = (env: NodeJS.ProcessEnv, ...args: string[]) => {
    const { status, stdout, stderr } = cli.runWith(env, ...args);
    outputs.push(stdout, stderr);
    return { status, stdout, stderr };
  };
  expect(run(byFile, "backup", "app.db", "--to", "vault").status).toBe(0);
  expect(run(byFile, "verify", "app", "--from", "vault").stdout).toContain("all is well");
  const bySecond = { PAGEMARK_AGE_IDENTITY: second };
  expect(run(bySecond, "restore", "app", "--from", "vault", "-o", "back.db").status).toBe(0);

  const wrong = run({ PAGEMARK_AGE_IDENTITY: other }, "--json", "list", "app", "--from", "vault");
  expect([wrong.status, JSON.parse(wrong.stderr).error.code]).toEqual([12, "KEY_WRONG"]);
  // Without a key it is locked: nothing looks damaged, and nothing plain is written among what is encrypted.
  for (const args of [
    ["list", "app", "--from", "vault"],
    ["list", "--from", "vault"],
    ["restore", "app", "--from", "vault", "-o", "locked.db"],
    ["verify", "app", "--from", "vault"],
    ["backup", "app.db", "--to", "vault"],
    ["prune", "app", "--from", "vault", "--keep-last", "1"],
    ["watch", "app.db", "--to", "vault"],
    ["run", "--once", "--config", "plan.toml"],
  ]) {
    const locked = run({}, "--json", ...args);
    expect([locked.status, JSON.parse(locked.stderr).error]).toMatchObject([
      12,
      {
        code: "KEY_WRONG",
        message: expect.stringContaining("set PAGEMARK_AGE_IDENTITY or PAGEMARK_PASSPHRASE"),
      },
    ]);
  }
  expect(run({}, "status", "--config", "plan.toml").status).toBe(12);
  await expect(folder(path("vault")).put("app/plain", new Uint8Array(1))).rejects.toMatchObject({
    code: "KEY_WRONG",
  });
  const guessed = run({ PAGEMARK_PASSPHRASE: "hunter-two" }, "backup", "app.db", "--to", "vault");
  expect(guessed.status).toBe(12);
  const none = run({ PAGEMARK_AGE_IDENTITY: path("app.db") }, "--json", "list", "app", "--from", "vault");
  expect([none.status, JSON.parse(none.stderr).error.code]).toEqual([2, "USAGE"]);
  expect(run({}, "backup", "app.db", "--to", "plain").status).toBe(0);
  const mixed = run(byFile, "--json", "backup", "app.db", "--to", "plain");
  expect([mixed.status, JSON.parse(mixed.stderr).error.code]).toEqual([1, "STORE_NOT_ENCRYPTED"]);

  writeFileSync(path("phrase.txt"), "five random words it is\n");
  expect(run({}, "key", "add", "--store", "vault", "--passphrase-file", "phrase.txt").status).toBe(12);
  expect(run(byFile, "key", "add", "--store", "vault", "--passphrase-file", "phrase.txt").status).toBe(0);
  const listed = () => JSON.parse(run({}, "--json", "key", "list", "--store", "vault").stdout);
  expect(
    listed()
      .map((each: { kind: string }) => each.kind)
      .sort(),
  ).toEqual(["passphrase", "recipients"]);
  const byPhrase = { PAGEMARK_PASSPHRASE: "five random words it is" };
  expect(run(byPhrase, "verify", "app", "--from", "vault").status).toBe(0);
  expect(run({}, "key", "remove", "--store", "vault", "first.age").status).toBe(0);
  expect(run(byFile, "verify", "app", "--from", "vault").status).toBe(12);
  expect(run(byPhrase, "verify", "app", "--from", "vault").status).toBe(0);
  const last = run({}, "--json", "key", "remove", "--store", "vault", listed()[0].name);
  expect([last.status, JSON.parse(last.stderr).error.code]).toEqual([1, "KEY_NEEDED"]);
  expect(cli.failure("key", "list", "--store", "nowhere")).toEqual([1, "STORE_MISSING"]);
  for (const secret of ["five random words", own, second, other, "hunter-two"])
    expect(outputs.join("\n")).not.toContain(secret);
}, 60_000);

test("F2 what somebody else put into an encrypted folder hides no backup, and a damaged record only its own", () => {
  const env = { PAGEMARK_PASSPHRASE: "of-the-test" };
  const run = (...args: string[]) => cli.runWith(env, "--json", ...args);
  runSql(path("shared.db"), "CREATE TABLE t (a)");
  expect(run("backup", "shared.db", "--to", "shared").status).toBe(0);
  mkdirSync(path("shared/theirs/pagemark"), { recursive: true });
  writeFileSync(path("shared/theirs/pagemark/0000000000000001.json"), "not encrypted");
  const { status, stdout } = run("list", "--from", "shared");
  expect([status, JSON.parse(stdout)]).toMatchObject([
    0,
    [{ name: "shared", backups: 1 }, { name: "theirs" }],
  ]);
  runSql(path("shared.db"), "INSERT INTO t VALUES (1)");
  expect(run("backup", "shared.db", "--to", "shared").status).toBe(0);
  writeFileSync(path("shared/shared/pagemark/0000000000000002.json"), "damaged");
  const listed = run("list", "shared", "--from", "shared");
  expect([listed.status, JSON.parse(listed.stdout)]).toMatchObject([
    3,
    [{ state: "done" }, { state: "damaged" }],
  ]);
  const healed = run("backup", "shared.db", "--to", "shared");
  expect(JSON.parse(healed.stdout).full_because).toBe("the newest record is damaged");
});
