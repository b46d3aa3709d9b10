// Another process that uses the bank at argv[2]. argv[3] says how:
//   write <pause>      transactions without end, with so many ms between; "failed: …" when one did not go through.
//                      In rollback mode, a journal mode may follow: it is a connection's, not the file's
//   sql                the SQL that it is told, statement by statement
//   hold <sql>         runs the SQL, and sits there
//   crash <sql>        runs the SQL, and is killed
// Says "ready" once it is at it. Asked "marker?", the writer says which transaction was its last.
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { teller } from "./bank.ts";

const [, , path = "", how, argument = ""] = process.argv;
const db = new DatabaseSync(path);
const say = (text: string) => process.stdout.write(`${text}\n`);
// Whoever started this is gone when its input ends.
const input = createInterface({ input: process.stdin }).on("close", () => process.exit());

if (how === "write") {
  db.exec("PRAGMA busy_timeout = 20000");
  const [pause, journal] = argument.split(" ");
  if (journal) db.exec(`PRAGMA journal_mode = ${journal}`);
  const isWal = (db.prepare("PRAGMA journal_mode").get() as { journal_mode: string }).journal_mode === "wal";
  // In WAL mode nobody may ever be in the way. In rollback mode, what is not synced cannot be followed.
  const [timeout, synchronous] = isWal ? [0, "OFF"] : [20_000, "NORMAL"];
  db.exec(
    `PRAGMA busy_timeout = ${timeout}; PRAGMA synchronous = ${synchronous}; PRAGMA wal_autocheckpoint = 50`,
  );
  const { marker, transact } = teller(db);
  let last = marker();
  let longestMs = 0;
  input.on("line", () => say(`marker ${last} ${Math.round(longestMs)}`));
  say("ready");
  for (;;) {
    const start = performance.now();
    try {
      last = transact();
    } catch (error) {
      say(`failed: ${error}`);
    }
    longestMs = Math.max(longestMs, performance.now() - start);
    // Lets the line above be read.
    await sleep(Number(pause));
  }
}
if (how === "sql") {
  db.exec("PRAGMA busy_timeout = 20000");
  input.on("line", (line) => {
    try {
      db.exec(JSON.parse(line));
      say("done");
    } catch (error) {
      say(`error: ${error}`);
    }
  });
}
db.exec(argument);
if (how === "crash") process.kill(process.pid, "SIGKILL");
say("ready");
