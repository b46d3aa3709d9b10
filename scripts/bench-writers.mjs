// What a writer notices of a backup of local D1 and of a Durable Object, and what the backup comes to: 1, 10 and 100 writes
// a second, tables made among them, in each way of reading. `node scripts/bench-writers.mjs [seconds] [1,10,100]`; 3 seconds for each unless given.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { root } from "./lib/run.mjs";

await import(join(root, "js/dist/entry/node.js"));
const { modulesOf } = await import(join(root, "tests/support/worker-modules.ts"));
const { convertV4MiniflareOptions, Miniflare } = createRequire(import.meta.url)("miniflare");

const seconds = Number(process.argv[2] ?? 3);
const rates = (process.argv[3] ?? "1,10,100").split(",").map(Number);
const ACCOUNTS = 50;
/** Writes under way at once; others wait, which counts. */
const MOST_OPEN = 50;
/** Rows beside the accounts: less than a MiB, which one transaction reads, and many. */
const WAYS = [
  { name: "one transaction", rows: 2_000, action: "backup" },
  { name: "slices", rows: 60_000, action: "backup" },
  { name: "tracking", rows: 60_000, action: "backupTracked" },
];
const folder = mkdtempSync(join(tmpdir(), "pagemark-bench-writers-"));
const names = Array.from({ length: WAYS.length }, (_, at) => `DB${at}`);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: await modulesOf(join(root, "tests/rows/worker.mjs")),
    compatibilityDate: "2026-10-01",
    d1Databases: Object.fromEntries(names.map((name) => [name, name])),
    durableObjects: { HOLDER: { className: "Holder", useSQLite: true } },
    r2Buckets: ["BACKUPS"],
  }),
);

try {
  await miniflare.ready;
  console.log("| | writes a second | p50, p99 idle | p50, p99 during backups | backups | came to |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const place of ["d1", "object"]) {
    for (const [at, way] of WAYS.entries()) {
      const send = sender(place, names[at]);
      await send("run", bank(way.rows));
      for (const rate of rates) await measure(place, send, way, rate);
    }
  }
} finally {
  await miniflare.dispose();
  rmSync(folder, { recursive: true, force: true });
}

function sender(place, name) {
  // A Durable Object goes by its name, too: apart from the D1 database of that name.
  const whose = place === "d1" ? name : `${name}-object`;
  return async (action, argument) => {
    const body = JSON.stringify({ place, name: whose, action, argument });
    const answer = await miniflare.dispatchFetch("http://worker/", { method: "POST", body });
    if (action === "download" && answer.ok) return new Uint8Array(await answer.arrayBuffer());
    const told = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(told.message), { code: told.code });
    return told;
  };
}

function bank(rows) {
  const numbers = (most) =>
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${most})`;
  return [
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INT)",
    "CREATE INDEX rich ON accounts (balance)",
    "CREATE TABLE filler (id INTEGER PRIMARY KEY, text)",
    "CREATE INDEX texts ON filler (text)",
    "CREATE TABLE transfers (id INTEGER PRIMARY KEY, a, b)",
    "CREATE TABLE written (n INT)",
    "INSERT INTO written VALUES (0)",
    `${numbers(ACCOUNTS)} INSERT INTO accounts SELECT i, 1000 FROM n`,
    `${numbers(rows)} INSERT INTO filler SELECT i, 'some text ' || i || hex(randomblob(40)) FROM n`,
  ];
}

async function measure(place, send, way, rate) {
  const idle = await writing(send, rate, () => new Promise((done) => setTimeout(done, seconds * 1000)));
  const results = new Map();
  let backups = 0;
  const during = await writing(send, rate, async () => {
    const until = Date.now() + seconds * 1000;
    do {
      const result = await send(way.action).then(
        ({ taken }) => taken,
        ({ code, message }) => code ?? message,
      );
      results.set(result, (results.get(result) ?? 0) + 1);
      backups++;
      if (result !== "SOURCE_CHANGED") check(await send("download"));
    } while (Date.now() < until);
  });
  const came = [...results].map(([result, count]) => `${count} ${result}`).join(", ");
  const called = `${place === "d1" ? "D1" : "a Durable Object"}, ${way.name}`;
  console.log(`| ${called} | ${rate} | ${shown(idle)} | ${shown(during)} | ${backups} | ${came} |`);
}

/** How long each write takes, in milliseconds, while `action` is under way; every tenth makes a table. */
async function writing(send, rate, action) {
  const times = [];
  const due = [];
  const open = new Set();
  const begin = () => {
    if (due.length === 0 || open.size >= MOST_OPEN) return;
    const { statements, begun } = due.shift();
    const write = send("run", statements).then(() => {
      times.push(performance.now() - begun);
      open.delete(write);
      begin();
    });
    open.add(write);
  };
  let number = 0;
  const timer = setInterval(() => {
    const [from, to] = [1 + (number % ACCOUNTS), 1 + ((number * 7 + 13) % ACCOUNTS)];
    const statements = [
      `UPDATE accounts SET balance = balance - 1 WHERE id = ${from}`,
      `UPDATE accounts SET balance = balance + 1 WHERE id = ${to}`,
      `INSERT INTO transfers (a, b) VALUES (${from}, ${to})`,
      "UPDATE written SET n = n + 1",
      ...(number % 10 === 9 ? [`CREATE TABLE IF NOT EXISTS made${number % 50} (a)`] : []),
    ];
    number++;
    due.push({ statements, begun: performance.now() });
    begin();
  }, 1000 / rate);
  await action();
  clearInterval(timer);
  while (open.size > 0) await Promise.race(open);
  return times;
}

/** The money is all there, and what was counted beside it fits: it is one moment. */
function check(bytes) {
  const path = join(folder, "made.sqlite3");
  writeFileSync(path, bytes);
  const db = new DatabaseSync(path, { readOnly: true });
  const sql =
    "SELECT (SELECT sum(balance) FROM accounts), (SELECT count(*) FROM transfers) - (SELECT n FROM written) AS missing";
  const [money, missing] = Object.values(db.prepare(sql).get());
  const [{ integrity_check: sound }] = db.prepare("PRAGMA integrity_check").all();
  db.close();
  if (money !== ACCOUNTS * 1000 || missing !== 0 || sound !== "ok")
    throw new Error(`of several moments: ${money} in all, ${missing} missing, ${sound}`);
}

function shown(times) {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  return `${at(0.5)}, ${at(0.99)} ms`;
}
