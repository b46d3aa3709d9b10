// Times Pagemark beside its peers on databases of many shapes: a line for each with the ratios of medians, and the most
// memory above an idle Node. `npm run bench:shapes [-- --mb 60] [-- --runs 5] [-- --only "random reals"] [-- --what dump]`.
// What it prints is a measurement, not a test.
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measure, median } from "./lib/measure.mjs";
import { contest, Peers, peer, run } from "./lib/peers.mjs";
import { root } from "./lib/run.mjs";
import { changeHundredRows, makeShape, SHAPES } from "./lib/shapes.mjs";

const { values: options } = parseArgs({
  options: {
    mb: { type: "string", default: "60" },
    runs: { type: "string", default: "5" },
    only: { type: "string", multiple: true },
    what: { type: "string", multiple: true, default: ["dump", "backup", "restore", "incremental"] },
    keep: { type: "boolean", default: false },
  },
});
const runs = Number(options.runs);
const folder = join(root, ".cache/shapes");
mkdirSync(folder, { recursive: true });
const idle = measure([process.execPath, "-e", "0"]).memory;

const CONTESTS = {
  dump: (peers) => [
    ["pagemark", () => peers.dump()],
    ["3.54.1", () => [peer("sqlite3_shell"), peers.database, ".dump"]],
    ["3.40.1", () => ["sqlite3", peers.database, ".dump"]],
  ],
  backup: (peers) => [
    ["pagemark", () => peers.backup()],
    ["litestream", () => peers.litestreamBackup()],
  ],
  restore: (peers) => {
    run(peers.backup());
    run(peers.litestreamBackup());
    return [
      ["pagemark", () => peers.restore()],
      ["litestream", () => peers.litestreamRestore()],
    ];
  },
  incremental: (peers) => {
    peers.beginIncremental();
    const change = () => changeHundredRows(peers.at("live.db"));
    return [
      ["pagemark", () => peers.incremental(), change],
      ["sqlite3_rsync", () => peers.rsync(), change],
    ];
  },
};

console.log(
  `${options.mb} MB each, medians of ${runs}: seconds, ratios to the peers, MiB above an idle Node`,
);
console.log(
  `| shape | ${options.what.map((what) => (what === "dump" ? "dump / 3.54, 3.40" : what)).join(" | ")} |\n|${" --- |".repeat(options.what.length + 1)}`,
);
for (const shape of options.only ?? Object.keys(SHAPES)) {
  const database = join(folder, `${options.mb} ${shape}.db`);
  if (!existsSync(database)) {
    makeShape(`${database}-new`, shape, Number(options.mb) * 1e6);
    renameSync(`${database}-new`, database);
  }
  const peers = new Peers(join(folder, "work"), database);
  const cells = options.what.map((what) => cell(contest(runs, CONTESTS[what](peers))));
  console.log(`| ${[shape, ...cells].join(" | ")} |`);
  rmSync(peers.folder, { recursive: true });
  if (!options.keep) rmSync(database);
}

/** "0.31 s: 0.52, 1.36; 41 MiB" */
function cell([ours, ...theirs]) {
  const wall = ({ measured }) => median(measured.map(({ wall }) => wall));
  const memory = Math.max(...ours.measured.map(({ memory }) => memory)) - idle;
  const ratios = theirs.map((each) => (wall(ours) / wall(each)).toFixed(2));
  return `${wall(ours).toFixed(2)} s: ${ratios.join(", ")}; ${(memory / 2 ** 20).toFixed(0)} MiB`;
}
