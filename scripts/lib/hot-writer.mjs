// Writes to a bank at a steady rate until its parent says stop, then tells how long each transaction took.
// node hot-writer.mjs <database> <transactions a second>
process.removeAllListeners("warning"); // node:sqlite is announced as experimental
const { DatabaseSync } = await import("node:sqlite");

const [, , path, rate] = process.argv;
const ACCOUNTS = 1000;
const db = new DatabaseSync(path, { timeout: 30_000 });
db.exec("PRAGMA synchronous = NORMAL");
const pay = db.prepare("UPDATE accounts SET balance = balance + ? WHERE id = ?");
const mark = db.prepare("UPDATE marker SET n = n + 1");
const touch = db.prepare("UPDATE orders SET total = total + 1 WHERE id = ?");
const { rows } = db.prepare("SELECT max(id) AS rows FROM orders").get();

let stopped = false;
process.on("message", () => {
  stopped = true;
});

/** When each transaction began, in milliseconds since 1970, and how many it took. */
const transactions = [];
const any = (most) => 1 + Math.floor(Math.random() * most);
for (let due = performance.now(); !stopped; due += 1000 / Number(rate)) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  const started = performance.now();
  const amount = any(100);
  db.exec("BEGIN IMMEDIATE");
  pay.run(-amount, any(ACCOUNTS));
  pay.run(amount, any(ACCOUNTS));
  mark.run();
  touch.run(any(rows));
  db.exec("COMMIT");
  transactions.push([performance.timeOrigin + started, performance.now() - started]);
}
process.send(transactions, () => process.disconnect());
