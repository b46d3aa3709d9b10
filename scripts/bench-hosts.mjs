// Times the component's hosts in Rust and Python beside the npm package: the same jobs on one database, in turns.
// `node scripts/bench-hosts.mjs [--mb 80] [--runs 5]`, after `npm run hosts -- rust`. What it prints is a measurement, not a test.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeDatabase } from "./lib/bench-database.mjs";
import { measure, report, settle } from "./lib/measure.mjs";
import { root } from "./lib/run.mjs";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "5" }, mb: { type: "string", default: "80" } },
});
const folder = join(root, ".cache/bench/hosts");
mkdirSync(folder, { recursive: true });
const database = join(folder, `hosts-${options.mb}.db`);
if (!existsSync(database)) makeDatabase(database, Number(options.mb) * 1e6);
const name = `hosts-${options.mb}`;
process.env.PYTHONPATH = [join(root, "hosts/python/src"), join(root, ".cache/clients/python")].join(":");

const npm = (...args) => [process.execPath, join(root, "js/dist/bin/pagemark.js"), ...args];
const rust = (...args) => [join(root, "target/hosts-rust/release/examples/command"), ...args];
const python = (...args) => ["python3", "-m", "pagemark.cli", ...args];
const hosts = {
  npm: {
    backup: (to) => npm("backup", database, "--to", to),
    restore: (from, to) => npm("restore", name, "--from", from, "-o", to),
  },
  rust: {
    backup: (to) => rust("backup", database, to),
    restore: (from, to) => rust("restore", name, from, to),
  },
  python: {
    backup: (to) => python("backup", database, "--to", to),
    restore: (from, to) => python("restore", name, "--from", from, "-o", to),
  },
};

const [store, restored] = [join(folder, "store"), join(folder, "restored.db")];
// Compiles the component, which is kept for the next runs, and leaves a backup to restore.
for (const host of Object.values(hosts)) time(host.backup(fresh(store)));
const idle = measure([process.execPath, "-e", "0"]).memory;
compare("full backup", (host) => host.backup(fresh(join(folder, "new"))));
compare("restore", (host) => host.restore(store, fresh(restored)));

function compare(what, command) {
  const measured = Object.fromEntries(Object.keys(hosts).map((each) => [each, []]));
  for (let run = 0; run < Number(options.runs); run++)
    for (const [each, host] of Object.entries(hosts)) measured[each].push(time(command(host)));
  console.log(`\n${what}, ${options.mb} MB`);
  report(
    Object.entries(measured).map(([each, of]) => ({ name: each, measured: of })),
    idle,
  );
}

function time(command) {
  settle();
  const measured = measure(command);
  if (measured.code !== 0) throw new Error(`${command.join(" ")} ended with ${measured.code}`);
  return measured;
}

function fresh(path) {
  rmSync(path, { recursive: true, force: true });
  return path;
}
