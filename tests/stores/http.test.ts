// A Pagemark Worker as a store: the suite of every store, its tokens, and backups made here and restored from there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { http } from "pagemark";
import { expect, test } from "vitest";
import { READ_TOKEN, TOKEN } from "../clients/api.ts";
import { TestWorker } from "../clients/worker.ts";
import { storeContract } from "../contracts/store.ts";
import { bytes, listed, readAll } from "../contracts/store-cases/bytes.ts";
import { CommandLine } from "../support/cli.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const worker = new TestWorker();
let count = 0;
const at = (name: string, token = TOKEN) =>
  http(`${worker.url}/store/${name}`, { token, patience: { delay: 5 } });

storeContract("http", async () => ({ store: at(`of-${count++}`) }), { isSlow: true, longKeys: false });

test("F10 a token that may only read reads, and others do nothing", async () => {
  await at("tokens").put("a", bytes(10));
  const reading = at("tokens", READ_TOKEN);
  expect(await readAll(await reading.get("a"))).toEqual(bytes(10));
  expect(await listed(reading)).toEqual(["a"]);
  await expect(reading.put("b", bytes(1))).rejects.toMatchObject({ code: "STORE_DENIED" });
  await expect(reading.delete("a")).rejects.toMatchObject({ code: "STORE_DENIED" });
  const wrong = at("tokens", "guess");
  for (const call of [
    () => wrong.list(""),
    () => wrong.get("a"),
    () => wrong.put("b", bytes(1)),
    () => wrong.delete("a"),
  ])
    await expect(call()).rejects.toMatchObject({ code: "STORE_DENIED" });
  expect(await listed(at("tokens"))).toEqual(["a"]);
});

test("stores are apart from one another and from the Worker's own objects", async () => {
  await at("one").put("a", bytes(10));
  await at("two").put("a", bytes(20));
  expect(await listed(at("one"))).toEqual(["a"]);
  expect((await at("two").head("a"))?.size).toBe(20);
  const state = await at("one").uploads?.start("b");
  const remote = { ...(state?.remote as object), key: "%stores/two/a" };
  await expect(at("one").uploads?.abort({ key: "b", size: 0, remote })).rejects.toMatchObject({
    code: "STORE_REFUSED",
  });
  expect((await at("two").head("a"))?.size).toBe(20);
  const long = `${"x".repeat(250)}/${"y".repeat(250)}/${"z".repeat(250)}/${"k".repeat(265)}`;
  await expect(at("one").put(long, bytes(1))).rejects.toMatchObject({ code: "STORE_NAME_TOO_LONG" });
  await expect(at("no such name").list("")).rejects.toMatchObject({ code: "STORE_REFUSED" });
});

test("B17 backups of the command line go to a Worker, are listed, verified and restored there", async () => {
  const cli = new CommandLine(tempFolder());
  const path = join(cli.folder, "app.db");
  const run = (...args: string[]) => cli.runWith({ PAGEMARK_TOKEN: TOKEN }, ...args);
  const place = `${worker.url}/store/laptop`;
  runSql(path, tableSql("notes", 30_000, 300));
  expect(run("backup", "app.db", "--to", place)).toMatchObject({ status: 0 });
  runSql(path, "UPDATE notes SET note = 'x' WHERE id < 10");
  expect(run("backup", "app.db", "--to", place).stdout).toContain("incremental");
  expect(JSON.parse(run("--json", "list", "app", "--from", place).stdout)).toHaveLength(2);
  expect(run("verify", "app", "--from", place).stdout).toContain("2 backups can be restored");
  expect(run("restore", "app", "--from", place, "-o", "back.db").status).toBe(0);
  expect(readFileSync(join(cli.folder, "back.db")).equals(readFileSync(path))).toBe(true);
  const none = cli.runWith({ PAGEMARK_TOKEN: "" }, "--json", "list", "app", "--from", place);
  expect(JSON.parse(none.stderr).error.code).toBe("STORE_CREDENTIALS");
  const wrong = cli.run("--json", "list", "app", "--from", `${place}?token=a-secret-guess`);
  expect(JSON.parse(wrong.stderr).error.code).toBe("STORE_DENIED");
  expect(wrong.stderr).not.toContain("a-secret-guess");
});
