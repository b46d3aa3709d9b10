// Tries the component's hosts, each as its users have it: `npm run hosts`, or with names (`rust`, `python`, `jco`). The one in
// Rust compiles wasmtime, which takes minutes, so CI does not run this. `large` backs up a database of 1 GB in Rust with 64 MiB
// of memory, changes it, backs it up again in pieces of little fuel, and restores it.
import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { root, tryRun } from "./lib/run.mjs";

const target = join(root, "target/hosts-rust");
const cargo = (...args) => [
  "cargo",
  args.toSpliced(1, 0, "--release", "--manifest-path", "hosts/rust/Cargo.toml", "--target-dir", target),
];
const hosts = {
  rust: [cargo("clippy", "--all-targets", "--", "--deny", "warnings"), cargo("test")],
  python: [["vitest", ["run", "--project", "node", "tests/component"]]],
  jco: [
    ["npm", ["--prefix", "hosts/jco", "install", "--no-audit", "--no-fund"]],
    ["npm", ["--prefix", "hosts/jco", "test"]],
  ],
};

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(hosts)) {
  if (name === "large") {
    await large();
    continue;
  }
  if (!hosts[name]) fail(`There is no host ${name}; there are ${Object.keys(hosts).join(", ")}, and large.`);
  for (const [command, args] of hosts[name]) must(command, args);
}

async function large() {
  const folder = mkdtempSync(join(tmpdir(), "pagemark-hosts-"));
  try {
    const [path, restored, backups] = ["large.db", "restored.db", "backups"].map((name) =>
      join(folder, name),
    );
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, b TEXT); BEGIN");
    const insert = database.prepare("INSERT INTO t VALUES (?, randomblob(450), printf('%0500d', ?))");
    for (let id = 1; id <= 1_000_000; id++) insert.run(id, id);
    database.exec("COMMIT");
    const command = (fuel, ...args) => {
      process.env.MEMORY = "64";
      if (fuel) process.env.FUEL = fuel;
      else delete process.env.FUEL;
      must(...cargo("run", "--quiet", "--example", "command", ...args));
    };
    command(undefined, "backup", path, backups);
    database.exec("UPDATE t SET b = 'changed' WHERE id % 1000 = 0");
    database.close();
    command("2000000000", "pieces", path, backups);
    command(undefined, "verify", "large", backups);
    command(undefined, "restore", "large", backups, restored);
    if ((await digest(path)) !== (await digest(restored)))
      fail("what was restored is not what was backed up");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function digest(path) {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
}

function must(command, args) {
  if (tryRun(command, args) !== 0) fail(`${command} ${args.join(" ")} failed`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
