// A folder at the other end of SSH, with a real OpenSSH server there; where none is installed, nothing of this is tried.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type SftpOptions, sftp } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { storeContract } from "../contracts/store.ts";
import { bytes } from "../contracts/store-cases/bytes.ts";
import { CommandLine } from "../support/cli.ts";
import { litestreamRestore } from "../support/litestream.ts";
import { noSshd, type Sshd, startSshd } from "../support/sshd.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

describe.skipIf(noSshd !== undefined)(`sftp${noSshd === undefined ? "" : ` (not tried: ${noSshd})`}`, () => {
  let server: Sshd;
  const root = tempFolder();
  let count = 0;

  beforeAll(async () => {
    server = await startSshd();
  });

  const options = (more: Partial<SftpOptions> = {}): SftpOptions => ({
    host: "127.0.0.1",
    port: server.port,
    username: server.username,
    path: join(root, `a folder/of-${count++}`),
    privateKeys: [readFileSync(server.identity)],
    isHostKey: (key) => Buffer.compare(key, server.hostKey) === 0,
    ...more,
  });

  storeContract("sftp", async () => ({ store: sftp(options()) }), { keepsModified: false, isSlow: true });

  test("F10 another's host key, and keys that the server does not take, are refused", async () => {
    const stranger = sftp(options({ isHostKey: () => false }));
    await expect(stranger.put("a", bytes(1))).rejects.toMatchObject({ code: "STORE_HOST_KEY" });
    const denied = sftp(options({ privateKeys: [readFileSync(server.stranger)] }));
    await expect(denied.list("")).rejects.toMatchObject({ code: "STORE_DENIED" });
    const nowhere = sftp(options({ port: 1 }));
    await expect(nowhere.list("")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const readOnly = sftp(options({ path: "/proc/pagemark" }));
    await expect(readOnly.put("a", bytes(1))).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_/),
    });
  });

  test("the command line backs up to a URL and restores from it; Litestream reads the folder", () => {
    const cli = new CommandLine(tempFolder());
    runSql(join(cli.folder, "app.db"), tableSql("notes", 2000));
    const query = `?identity=${server.identity}&known-hosts=${server.knownHosts}`;
    const place = `sftp://${server.username}@127.0.0.1:${server.port}${root}/cli${query}`;
    expect(cli.run("backup", "app.db", "--to", place)).toMatchObject({ status: 0 });
    runSql(join(cli.folder, "app.db"), "DELETE FROM notes WHERE id = 7");
    expect(cli.run("backup", "app.db", "--to", place).stdout).toContain("incremental");
    expect(cli.run("verify", "app", "--from", place).stdout).toContain("2 backups can be restored");
    expect(cli.run("restore", "app", "--from", place, "-o", "back.db")).toMatchObject({ status: 0 });
    const database = readFileSync(join(cli.folder, "app.db"));
    expect(readFileSync(join(cli.folder, "back.db")).equals(database)).toBe(true);
    expect(litestreamRestore(join(root, "cli/app")).equals(database)).toBe(true);
    const unknown = place.replace(server.knownHosts, "/dev/null");
    expect(cli.failure("list", "app", "--from", unknown)).toEqual([1, "STORE_HOST_KEY"]);
  }, 60_000);
});
