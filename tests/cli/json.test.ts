// What each command prints with `--json` is what its published schema says, with no key that the schema does not name.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { expect, test } from "vitest";
import { OUTPUTS } from "../../js/src/cli/schemas.ts";
import { CommandLine } from "../support/cli.ts";
import { expectOutput } from "../support/json-output.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const cli = new CommandLine(tempFolder());
const at = (...names: string[]) => join(cli.folder, ...names);
const STORE = ["--from", "store"];
const KEY = { PAGEMARK_AGE_IDENTITY: await generateX25519Identity() };
const OTHER = await identityToRecipient(await generateX25519Identity());
const PLACES = ["home?PAGEMARK_LOCALITY=default", "eu?PAGEMARK_LOCALITY=region%3Deu"];
const QUERY = "SELECT 1 AS a, 'b' AS b, NULL AS c, x'00' AS d, 9223372036854775807 AS e";

/** In the order in which they are run: a command has what it needs from those before it. */
const COMMANDS: readonly (readonly [schema: string, args: readonly string[], env?: NodeJS.ProcessEnv])[] = [
  ["backup", ["backup", "app.db", "--to", "store", "--tag", "first", "--note", "a note"]],
  ["backup", ["backup", "app.db", "--to", "store", "--full"]],
  ["backup", ["backup", "app.db", "--to", "store", "--table", "orders"]],
  ["backup-project", ["backup", "project", "--to", "store"]],
  ["run", ["run", "--once", "--config", "pagemark.json"]],
  ["status", ["status", "--config", "pagemark.json"]],
  ["verify", ["verify", "app", ...STORE, "--query", QUERY]],
  ["verify", ["verify", "app", ...STORE, "--sample", "50%"]],
  ["list", ["list", "app", ...STORE]],
  ["list-databases", ["list", ...STORE]],
  ["show", ["show", "app", ...STORE]],
  ["restore", ["restore", "app", ...STORE, "-o", "restored.db"]],
  ["restore", ["restore", "app", ...STORE, "-o", "restored.db", "--force"]],
  ["restore-tables", ["restore", "app", ...STORE, "-o", "restored.db", "--table", "orders"]],
  ["restore-dry-run", ["restore", "app", ...STORE, "-o", "app.db", "--dry-run"]],
  ["download", ["download", "app", ...STORE, "-o", "downloaded.db"]],
  ["dump", ["dump", "app.db", "-o", "app.sql"]],
  ["import", ["import", "app.sql", "-o", "imported.db"]],
  ["open", ["open", "app", ...STORE, QUERY]],
  ["sql", ["sql", "--data", ".", "--to", "store", "-e", "SHOW BACKUPS FROM app"]],
  ["diff", ["diff", "app", "app.db", ...STORE]],
  ["diff", ["diff", "app", "--since", "0000000000000001", "--all", ...STORE]],
  ["check", ["check", "app.db"]],
  ["compact", ["compact", "app.db", "-o", "compacted.db"]],
  ["checkpoint-status", ["checkpoint", "status", "app.db"]],
  ["checkpoint-create", ["checkpoint", "create", "app.db"]],
  ["checkpoint-status", ["checkpoint", "status", "app.db"]],
  ["checkpoint-release", ["checkpoint", "release", "app.db"]],
  ["backup", ["backup", "app.db", "--to", "locked"], KEY],
  ["key-add", ["key", "add", "--store", "locked", "--recipient", OTHER], KEY],
  ["key-list", ["key", "list", "--store", "locked"]],
  ["copy", ["copy", ...STORE, "--to", "copied"]],
  ["backup", ["backup", "app.db", ...PLACES.flatMap((place) => ["--to", place])]],
  ["audit", ["audit", ...PLACES.flatMap((place) => ["--from", place])]],
  ["prune", ["prune", "app", ...STORE, "--keep-last", "1", "--no-tagged"]],
];

/** What runs until it is interrupted, here after its first line. */
const LASTING: readonly (readonly [schema: string, args: readonly string[]])[] = [
  ["watch", ["watch", "app.db", "--to", "watched"]],
  ["serve", ["serve", "served", "--to", "store", "--port", "0"]],
  ["restore-follow", ["restore", "app", ...STORE, "-o", "warm.db", "--follow"]],
];

/** Held against their schemas by tests/clients/hosted.slow.test.ts, where D1 is. */
const AT_D1 = ["restore-d1", "d1-migrate", "d1-untrack"];

test("what --json prints is what the published schemas say, of every command", async () => {
  runSql(at("app.db"), `PRAGMA journal_mode = WAL; ${tableSql("orders", 3)}`);
  const state = at("project/.wrangler/state/v3/d1/miniflare-D1DatabaseObject");
  mkdirSync(state, { recursive: true });
  for (const folder of ["served", "eu"]) mkdirSync(at(folder));
  runSql(join(state, `${"0a".repeat(32)}.sqlite`), tableSql("orders", 1));
  const databases = [{ file: "app.db", store: "scheduled" }];
  writeFileSync(at("pagemark.json"), JSON.stringify({ databases }));
  const seen = new Set(AT_D1);
  for (const [schema, args, env = {}] of COMMANDS) {
    const { status, stdout, stderr } = cli.runWith(env, "--json", ...args);
    expect([status, stderr], args.join(" ")).toEqual([0, ""]);
    expectOutput(schema, stdout);
    seen.add(schema);
  }
  const [{ name = "" } = {}] = cli.json<{ name: string }[]>("key", "list", "--store", "locked");
  expectOutput("key-remove", cli.run("--json", "key", "remove", name, "--store", "locked").stdout);
  const [newest = { id: "" }] = cli.json<{ id: string }[]>("list", "app.orders", ...STORE);
  cli.run("backup", "app.db", "--table", "orders", "--full", "--to", "store");
  expectOutput("delete", cli.run("--json", "delete", "app.orders", newest.id, ...STORE).stdout);
  expectOutput("error", cli.run("--json", "list", "nothing", ...STORE).stderr);
  const lasting = LASTING.map(async ([schema, args]) => {
    const { stdout } = await cli.interrupt((printed) => printed.includes("\n"), "--json", ...args);
    expectOutput(schema, stdout);
  });
  await Promise.all(lasting);
  for (const each of ["key-remove", "delete", "error", ...LASTING.map(([schema]) => schema)]) seen.add(each);
  expect(seen).toEqual(new Set(Object.keys(OUTPUTS)));
}, 90_000);
