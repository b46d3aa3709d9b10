// What a backup of local D1 keeps and costs, beside `wrangler d1 export --local` of the same data: prints the table of
// docs/d1.md. `node scripts/bench-d1.mjs [MB]`; 100 MB unless given, and 0 leaves out what takes time.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, exporting, startOn, treeOf, usageOf } from "./lib/local-d1.mjs";
import { root } from "./lib/run.mjs";

const { contents, differences, fileAt } = await import(join(root, "tests/peers/d1/place.ts"));
await import(join(root, "js/dist/entry/node.js"));
const { dumpCore } = await import(join(root, "js/dist/core/index.js"));
const { Wrangler } = await import(join(root, "tests/peers/d1/wrangler.ts"));

const megabytes = Number(process.argv[2] ?? 100);
const folder = mkdtempSync(join(tmpdir(), "pagemark-bench-d1-"));

/** What databases hold that D1's own export does not carry, and some of what it does. */
const CASES = {
  "integers, text, BLOBs, NULL": [
    "CREATE TABLE t (a, b)",
    "INSERT INTO t VALUES (1, 'é''x'), (NULL, x'00ff')",
  ],
  "integers beyond 2^53": [
    "CREATE TABLE t (a)",
    "INSERT INTO t VALUES (9007199254740993), (9223372036854775807)",
  ],
  "1.0 and -0.0 in a column without a type": ["CREATE TABLE t (a)", "INSERT INTO t VALUES (1.0), (-0.0)"],
  "text with a line end and a literal \\n": [
    "CREATE TABLE t (a)",
    "INSERT INTO t VALUES ('a\\n' || char(10) || 'b')",
  ],
  "text with a NUL": ["CREATE TABLE t (a)", "INSERT INTO t VALUES ('a' || char(0) || 'b')"],
  "text that is no UTF-8": ["CREATE TABLE t (a)", "INSERT INTO t VALUES (CAST(x'61ff' AS TEXT))"],
  "a value of 1 MB": ["CREATE TABLE t (a)", "INSERT INTO t VALUES (hex(zeroblob(500000)))"],
  rowids: ["CREATE TABLE t (a)", "INSERT INTO t (rowid, a) VALUES (5, 'x'), (9, 'y')"],
  "a child made before its parent": [
    "CREATE TABLE c (p REFERENCES p)",
    "CREATE TABLE p (id INTEGER PRIMARY KEY)",
    "INSERT INTO p VALUES (1)",
    "INSERT INTO c VALUES (1)",
  ],
  "an INSTEAD OF trigger": [
    "CREATE TABLE t (a)",
    "CREATE VIEW v AS SELECT a FROM t",
    "CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.a); END",
  ],
  "a full-text index": ["CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES ('lovely spam')"],
  "AUTOINCREMENT, generated columns, STRICT, WITHOUT ROWID": [
    "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, g TEXT AS (a || 'x')) STRICT",
    "CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
    "INSERT INTO t (a) VALUES ('x')",
    "INSERT INTO w VALUES ('k', 1)",
  ],
};

const COUNTED = [
  "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
  "CREATE TABLE other (a)",
  "INSERT INTO t (a) VALUES ('x'), ('y')",
  "DELETE FROM t WHERE id = 2",
  "CREATE INDEX i ON t (a)",
  "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM other; END",
];

/** Parts of a database: what is asked of the export, of `db.dump()`, and what has to be there when it is loaded. */
const PARTS = {
  "one table (`--table t`, `tables`): its index, trigger, counter": {
    theirs: [0, 0, "t"],
    ours: { tables: ["t"] },
    before: ["CREATE TABLE other (a)"],
  },
  "rows alone (`--no-schema`, `noSchema`), into the same tables": {
    theirs: [1, 0],
    ours: { noSchema: true },
    before: COUNTED.filter((sql) => sql.startsWith("CREATE")),
  },
};

try {
  const lines = ["| | `wrangler d1 export --local` | `db.backup()` |", "| --- | --- | --- |"];
  lines.push(...(await compared()));
  process.stderr.write(`${lines.join("\n")}\n`);
  if (megabytes > 0) lines.push(...(await measured()));
  console.log(lines.join("\n"));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What becomes of each case by their way out and in again, and by ours. */
async function compared() {
  const [whole, parts] = [Object.keys(CASES), Object.keys(PARTS)];
  const databases = [...whole, ...parts].flatMap((_, at) => [`C${at}`, `AGAIN${at}`, `OURS${at}`]);
  const miniflare = await startOn(folder, databases);
  const place = async (name) => placeOf(await miniflare.getD1Database(name));
  try {
    const lines = [];
    for (const [at, name] of whole.entries()) {
      const from = await place(`C${at}`);
      await from.run(CASES[name]);
      const wanted = await contents(from);
      const theirs = await loaded(await exported(from, [0, 0]), await place(`AGAIN${at}`), wanted);
      const path = join(folder, `${at}.sqlite3`);
      const answer = await miniflare.dispatchFetch(`http://worker/download?db=C${at}`);
      writeFileSync(path, new Uint8Array(await answer.arrayBuffer()));
      const ours = verdict(differences(await contents(fileAt(path)), wanted));
      lines.push(`| ${name} | ${theirs} | ${ours} |`);
    }
    for (const [index, name] of parts.entries()) {
      const at = whole.length + index;
      const { theirs, ours, before } = PARTS[name];
      const from = await place(`C${at}`);
      await from.run(COUNTED);
      const wanted = await contents(from);
      const dump = await ask(miniflare, `/dump?db=C${at}`, JSON.stringify(ours));
      const [again, own] = [await place(`AGAIN${at}`), await place(`OURS${at}`)];
      for (const to of [again, own]) await to.run(before);
      const came = [
        await loaded(await exported(from, theirs), again, wanted),
        await loaded(dump, own, wanted),
      ];
      lines.push(`| ${name} | ${came.join(" | ")} |`);
    }
    return lines;
  } finally {
    await miniflare.dispose();
  }
}

/** What the command asks local D1 for; an error where it gives nothing. */
async function exported(from, options) {
  const lines = await from.rows("PRAGMA miniflare_d1_export(?,?,?);", ...options).catch((error) => error);
  return lines instanceof Error ? lines : `${lines.flat().join("\n")}\n`;
}

/** What is there when SQL is loaded as `wrangler d1 execute --file` does it. */
async function loaded(sql, to, wanted) {
  const core = await dumpCore();
  try {
    if (sql instanceof Error) throw sql;
    const statements = new core.Statements();
    statements.push(new TextEncoder().encode(sql));
    const all = [];
    for (let next = statements.nextWhole(); next !== undefined; next = statements.nextWhole()) all.push(next);
    await to.run(all);
  } catch (error) {
    const said = error.message.replace(/D1_ERROR: |: SQLITE_\w+|D1 Export error: /g, "");
    return `${said.includes("cannot export") ? "no export" : "does not load"}: ${said.replaceAll("|", "").slice(0, 60)}`;
  }
  return verdict(differences(await contents(to), wanted));
}

function placeOf(db) {
  return {
    name: "D1",
    run: async (statements) => void (await db.batch(statements.map((sql) => db.prepare(sql)))),
    rows: (sql, ...values) => {
      const statement = db.prepare(sql);
      return (values.length > 0 ? statement.bind(...values) : statement).raw();
    },
  };
}

function verdict(found) {
  if (found.length === 0) return "kept";
  const lost = found.flatMap((line) => /^(\w+ \S+) on \S+: missing$/.exec(line)?.[1] ?? []);
  const isOther = found.some((line) => /^rows of .*: [-+\d]/.test(line));
  const says = [
    ...(lost.length > 0 ? [`loses ${lost.join(", ")}`] : []),
    ...(isOther ? ["other values"] : []),
  ];
  return `**${says.join(", ")}, silently**`;
}

/** Time, memory, and what others notice of it. */
async function measured() {
  const project = new Wrangler(join(folder, "large"));
  project.execute(
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, total REAL, note TEXT, at TEXT)",
  );
  const miniflare = await startOn(project.folder);
  const rows = [];
  try {
    for (let done = 0; done < megabytes; done += 10)
      await ask(miniflare, `/fill?mb=${Math.min(10, megabytes - done)}`);
    const size = (statSync(project.database).size + sizeOf(`${project.database}-wal`)) / 1e6;
    const idle = await latencies(miniflare, () => new Promise((resolve) => setTimeout(resolve, 5000)));
    const theirs = await latencies(miniflare, () => timed(() => exporting(project)));
    const workerd = treeOf(process.pid, "workerd");
    const ours = await latencies(miniflare, () => timed(() => ask(miniflare, "/backup"), workerd));
    const seconds = ({ result }) => `${(result.ms / 1000).toFixed(1)} s`;
    const memory = ({ result }) => `${Math.round(result.peak / 1e6)} MB`;
    rows.push(`| ${Math.round(size)} MB: time | ${seconds(theirs)} | ${seconds(ours)} |`);
    rows.push(`| most memory beyond what it began with | ${memory(theirs)} | ${memory(ours)} |`);
    rows.push(
      `| queries meanwhile: median, 99 of 100, longest (idle ${shown(idle)}) | ${shown(theirs)} | ${shown(ours)} |`,
    );
  } finally {
    await miniflare.dispose();
  }
  return rows;
}

function sizeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Time and most memory of some work: of the processes it started, or of those that were there. */
async function timed(work, pids) {
  const start = performance.now();
  const began = pids ? usageOf(pids).memory : 0;
  let peak = 0;
  const started = work();
  const watch = setInterval(() => {
    const these = pids ?? treeOf(started.pid);
    peak = Math.max(peak, usageOf(these).memory - began);
  }, 50);
  try {
    await (started.ended ?? started);
  } finally {
    clearInterval(watch);
  }
  return { ms: performance.now() - start, peak };
}

/** Queries of another Worker one after the other, 20 ms apart, while something else is done. */
async function latencies(miniflare, work) {
  const db = await miniflare.getD1Database("DB");
  const all = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const start = performance.now();
      await db.prepare("SELECT * FROM orders WHERE id = ?").bind(7).raw();
      all.push(performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const result = await work();
  isOver = true;
  await asking;
  return { result, all: all.sort((a, b) => a - b) };
}

function shown({ all }) {
  const at = (share) => `${Math.round(all[Math.min(all.length - 1, Math.floor(all.length * share))])} ms`;
  return `${at(0.5)}, ${at(0.99)}, ${at(1)}`;
}
