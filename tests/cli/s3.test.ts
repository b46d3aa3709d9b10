// `s3://` at the command line, with a real server behind it; and with Litestream, which reads and writes the same bucket.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CommandLine } from "../support/cli.ts";
import { litestream } from "../support/litestream.ts";
import { environment, KEYS, moto, type S3Server } from "../support/s3-server.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

let server: S3Server;
const cli = new CommandLine(tempFolder());
const path = (name: string) => join(cli.folder, name);
const run = (...args: string[]) => cli.runWith(environment(server.endpoint), ...args);

beforeAll(async () => {
  server = await moto();
  await server.bucket("vault");
  runSql(path("app.db"), `PRAGMA journal_mode = WAL; ${tableSql("notes", 500)}`);
}, 60_000);
afterAll(() => server.stop());

function runLitestream(...args: string[]) {
  const { AWS_CA_BUNDLE: _, ...env } = { ...process.env, ...environment() };
  const { status, stderr } = spawnSync(litestream, args, { cwd: cli.folder, encoding: "utf8", env });
  expect(stderr).not.toContain("Error");
  expect(status).toBe(0);
}

const replica = (of: string) => `s3://vault/${of}?endpoint=${server.endpoint}&forcePathStyle=true`;

test("B1 B3 a bucket takes backups and gives them back", () => {
  expect(run("backup", "app.db", "--to", "s3://vault/pm").status).toBe(0);
  runSql(path("app.db"), "UPDATE notes SET note = 'changed' WHERE id % 50 = 0");
  const second = run("backup", "app.db", "--to", "s3://vault/pm");
  expect(second.stdout).toContain("incremental");
  expect(JSON.parse(run("--json", "list", "app", "--from", "s3://vault/pm/").stdout)).toHaveLength(2);
  expect(run("verify", "app", "--from", "s3://vault/pm").stdout).toContain("2 backups can be restored");
  expect(run("restore", "app", "--from", "s3://vault/pm", "-o", "back.db").status).toBe(0);
  expect(readFileSync(path("back.db")).equals(readFileSync(path("app.db")))).toBe(true);
  expect(run("dump", "app", "--from", "s3://vault/pm").stdout).toContain("CREATE INDEX notes_note");
  // Empty variables are none.
  const { AWS_REGION, ...env } = environment();
  const empty = { AWS_REGION: "", AWS_DEFAULT_REGION: AWS_REGION, AWS_PROFILE: "", AWS_ENDPOINT_URL_S3: "" };
  const other = { ...env, ...empty, AWS_ENDPOINT_URL: server.endpoint };
  expect(cli.runWith(other, "list", "--from", "s3://vault/empty").stdout).toContain("has no backups");
}, 60_000);

test("Litestream restores from the bucket what Pagemark wrote there", () => {
  runLitestream("restore", "-o", "by-litestream.db", replica("pm/app"));
  expect(readFileSync(path("by-litestream.db")).equals(readFileSync(path("app.db")))).toBe(true);
}, 60_000);

test("B13 B17 of two places in buckets one has the backups, for Litestream too, and the other ids without a byte", () => {
  const places = ["s3://vault/home?PAGEMARK_LOCALITY=default", "s3://vault/eu?PAGEMARK_LOCALITY=region%3Deu"];
  const all = (option: string) => places.flatMap((place) => [option, place]);
  expect(run("backup", "app.db", ...all("--to"), "--locality", "region=eu").status).toBe(0);
  expect(run("restore", "app", ...all("--from"), "-o", "from-eu.db").status).toBe(0);
  expect(readFileSync(path("from-eu.db")).equals(readFileSync(path("app.db")))).toBe(true);
  expect(JSON.parse(run("--json", "audit", ...all("--from"), "--forbid", "default").stdout)).toMatchObject({
    ok: true,
    stores: [{ objects: 0, accounts: 1 }, { objects: 3 }],
  });
  runLitestream("restore", "-o", "by-litestream-eu.db", replica("eu/app"));
  expect(readFileSync(path("by-litestream-eu.db")).equals(readFileSync(path("app.db")))).toBe(true);
}, 60_000);

test("what Litestream replicated to the bucket is restored from there", () => {
  runSql(path("their.db"), `PRAGMA journal_mode = WAL; ${tableSql("theirs", 100)}`);
  runLitestream("replicate", "-once", "their.db", replica("ls/their"));
  const { stdout, status } = run("--json", "restore", "their", "--from", "s3://vault/ls", "-o", "theirs.db");
  expect(status).toBe(0);
  expect(JSON.parse(stdout).tables).toContainEqual({ name: "theirs", rows: 100 });
}, 60_000);

test("keys are taken from the URL and from a profile, and no output shows them", () => {
  const secret = "the secret/of+a key";
  const { accessKeyId } = KEYS;
  const url = new URL(`s3://vault/pm?endpoint=${server.endpoint}`);
  url.searchParams.set("access-key-id", accessKeyId);
  url.searchParams.set("secret-access-key", secret);
  const places = [
    url.href,
    `s3://${accessKeyId}:${encodeURIComponent(secret)}@vault/pm?endpoint=${server.endpoint}`,
    `${url.href}&unknown=${encodeURIComponent(secret)}`,
    `s3://vault?endpoint=${encodeURIComponent(`http://u:${encodeURIComponent(secret)}@host`)}`,
    `ftp://u:${encodeURIComponent(secret)}@vault?token=${encodeURIComponent(secret)}`,
  ];
  for (const place of places) {
    for (const args of [
      ["list", "nothing", "--from", place],
      ["--json", "list", "nothing", "--from", place],
      ["backup", "app.db", "--name", "elsewhere", "--to", place],
      ["restore", "nothing", place],
      [place],
    ]) {
      const { stdout, stderr, status } = cli.run(...args);
      expect(stdout + stderr).not.toMatch(/the secret|the%20secret|the\+secret/);
      if (args[0] !== "backup") expect(status).not.toBe(0);
    }
  }

  mkdirSync(path("aws"));
  writeFileSync(
    path("aws/config"),
    `[profile vault]\nregion = us-east-1\nservices = local\n[services local]\ns3 =\n  endpoint_url = ${server.endpoint}\n`,
  );
  writeFileSync(
    path("aws/credentials"),
    `[vault]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${KEYS.secretAccessKey}\n`,
  );
  const files = {
    AWS_CONFIG_FILE: path("aws/config"),
    AWS_SHARED_CREDENTIALS_FILE: path("aws/credentials"),
  };
  const byProfile = cli.runWith(files, "--json", "list", "app", "--from", "s3://vault/pm?profile=vault");
  expect(JSON.parse(byProfile.stdout)).toHaveLength(2);
  const unknown = cli.runWith(files, "--json", "list", "app", "--from", "s3://vault/pm?profile=none");
  expect(JSON.parse(unknown.stderr).error.code).toBe("USAGE");
}, 60_000);

test("what is no store says what is one, before anything is asked for", () => {
  const failure = (place: string, env = {}) => {
    const { status, stderr } = cli.runWith(
      { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null", ...env },
      "--json",
      "list",
      "app",
      "--from",
      place,
    );
    return [status, JSON.parse(stderr).error.code];
  };
  expect(failure("s3://localhost:9000/bucket")).toEqual([2, "USAGE"]);
  expect(failure("s3:///prefix")).toEqual([2, "USAGE"]);
  expect(failure("s3:bucket")).toEqual([2, "USAGE"]);
  expect(failure("s3://vault/a?region=x&region=y")).toEqual([2, "USAGE"]);
  expect(failure("s3://vault/a?path-style=perhaps")).toEqual([2, "USAGE"]);
  expect(failure("s3://vault/a?part-size=1MiB")).toEqual([2, "USAGE"]);
  expect(failure("s3://vault/.pagemark/a")).toEqual([2, "USAGE"]);
  expect(failure("s3://vault/a#b")).toEqual([2, "USAGE"]);
  expect(failure("file://host/a?b=c")).toEqual([2, "USAGE"]);
  expect(failure("nfs://host/a")).toEqual([2, "PLACE_UNKNOWN"]);
  expect(failure("s3://vault/a")).toEqual([1, "STORE_CREDENTIALS"]);
}, 60_000);
