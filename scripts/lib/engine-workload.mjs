// One peer's turn, in a process of its own: `engine-workload.mjs <peer> sql|backup <rows or file> [dist]`. Prints, as
// JSON, the milliseconds of each task and the most memory that the process took.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { peers } from "./engine-peers.mjs";
import { median } from "./measure.mjs";

const [peer, what, argument, dist] = process.argv.slice(2);
const database = await peers[peer](dist);
const tasks = {};
await (what === "sql" ? sql(Number(argument)) : backup(argument));
console.log(JSON.stringify({ tasks, memory: process.resourceUsage().maxRSS * 1024 }));

/** Times `action`, which does something `count` times. */
function task(name, count, action) {
  globalThis.gc();
  const start = performance.now();
  const result = action();
  tasks[name] = { ms: performance.now() - start, count };
  return result;
}

/** With `rows` small rows, and fewer of what takes longer. */
async function sql(rows) {
  const { exec, prepare } = database;
  exec("CREATE TABLE log (id INTEGER PRIMARY KEY, at INTEGER, what TEXT)");
  const log = prepare("INSERT INTO log (at, what) VALUES (?, ?)");
  const commits = Math.round(0.3 * rows);
  task("commits of one row each", commits, () => {
    for (let i = 0; i < commits; i++) log.run(i, "something happened");
  });

  exec("CREATE TABLE small (id INTEGER PRIMARY KEY, number INTEGER, amount REAL, name TEXT)");
  const small = prepare("INSERT INTO small (number, amount, name) VALUES (?, ?, ?)");
  task("rows inserted, small", rows, () => {
    exec("BEGIN");
    for (let i = 0; i < rows; i++) small.run((i * 7919) % 1000003, i * 0.25, `name ${i % 1000}`);
    exec("COMMIT");
  });
  const all = prepare("SELECT id, number, amount, name FROM small");
  task("rows selected, small", rows, () => expect(all.all().length, rows));

  exec("CREATE TABLE wide (id INTEGER PRIMARY KEY, title TEXT, body TEXT, payload BLOB)");
  const wide = prepare("INSERT INTO wide (title, body, payload) VALUES (?, ?, ?)");
  const wideRows = Math.round(rows / 10);
  const body = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. ".repeat(4);
  const payload = Uint8Array.from({ length: 200 }, (_, i) => i);
  task("rows inserted, text and blob", wideRows, () => {
    exec("BEGIN");
    for (let i = 0; i < wideRows; i++) wide.run(`title of row ${i}`, body, payload);
    exec("COMMIT");
  });
  const allWide = prepare("SELECT id, title, body, payload FROM wide");
  task("rows selected, text and blob", wideRows, () => expect(allWide.all().length, wideRows));

  const point = prepare("SELECT id, number, amount, name FROM small WHERE id = ?");
  const lookups = Math.round(rows / 5);
  task("lookups by key", lookups, () => {
    for (let i = 0; i < lookups; i++) {
      const id = ((i * 7919) % rows) + 1;
      if (point.get(id).id !== id) throw new Error("another row was found");
    }
  });
  task("rows updated", rows / 2, () => exec("UPDATE small SET amount = amount + 1 WHERE id % 2 = 0"));
  task("rows indexed", rows, () => exec("CREATE INDEX by_number ON small (number)"));
  const grouped = prepare(
    "SELECT number % 100 AS g, count(*) AS n, sum(amount) AS s, max(name) AS m FROM small GROUP BY g",
  );
  task("rows aggregated", rows, () => expect(grouped.all().length, 100));
}

async function backup(path) {
  const bytes = readFileSync(path);
  // The header says WAL, which SQLite does not take in memory.
  bytes.fill(1, 18, 20);
  await database.load(bytes);
  const { last } = database.prepare("SELECT max(id) AS last FROM orders").get();
  const folder = mkdtempSync(`${path}-`);
  for (const [name, next] of Object.entries(await database.backups(folder))) {
    const times = [];
    for (let round = 0; round < 5; round++) {
      const update = database.prepare("UPDATE orders SET total = total + 1 WHERE id = ?");
      database.exec("BEGIN");
      for (let row = 0; row < 100; row++) update.run(Math.floor((row * last) / 100) + 1);
      database.exec("COMMIT");
      globalThis.gc();
      const start = performance.now();
      await next();
      times.push(performance.now() - start);
    }
    tasks[name] = { ms: median(times), count: 1 };
  }
  rmSync(folder, { recursive: true });
}

function expect(found, wanted) {
  if (found !== wanted) throw new Error(`${found} instead of ${wanted}`);
}
