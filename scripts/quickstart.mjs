// Does Pagemark's main job on a real database, with the commands a user would type.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./lib/run.mjs";

process.removeAllListeners("warning"); // node:sqlite is announced as experimental
const { DatabaseSync } = await import("node:sqlite");

const folder = join(root, "quickstart");
const cli = join(root, "js/dist/bin/pagemark.js");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);

say("A shop's database, open and in use, in WAL mode.");
const shop = new DatabaseSync(join(folder, "shop.db"));
const orders = makeShop(shop);

say("Back it up while it is open.");
pagemark("backup", "shop.db", "--to", "backups");
const before = total(shop);

say("A hundred orders are paid: the next backup stores only the pages that changed.");
shop.exec("UPDATE orders SET paid = 1 WHERE id % (SELECT count(*) / 100 FROM orders) = 0");
pagemark("backup", "shop.db", "--to", "backups");

say("Somebody drops the table, and the hourly backup takes that too.");
shop.exec("DROP TABLE orders");
pagemark("backup", "shop.db", "--to", "backups");
shop.close();
pagemark("list", "shop", "--from", "backups");

say("Restore to the moment before. The file is proved against its checksum before it is put in place.");
const [, paid, first] = JSON.parse(run("list", "shop", "--from", "backups", "--json"));
pagemark("restore", "shop", "--from", "backups", "--at", paid.id.slice(0, 8), "-o", "shop.db", "--force");

say("And the first one, as a file of its own.");
pagemark("download", "shop", first.id.slice(0, 8), "--from", "backups");
pagemark("verify", "shop", "--from", "backups");

const restored = new DatabaseSync(join(folder, `shop.${first.id.slice(0, 8)}.sqlite3`), { readOnly: true });
if (total(restored) !== before) throw new Error("the restored orders are not those of the first backup");
console.log(`
Done: ${orders.toLocaleString("en")} orders, three backups, every one restorable. All of it is in ${relative(process.cwd(), folder)}/:
  shop.db            the database, restored in place
  shop.*.sqlite3     the first backup, downloaded
  backups/shop/      what is stored, as LTX files: \`litestream restore\` reads them, too
Next: the README, or  node js/dist/bin/pagemark.js --help`);

function makeShop(db) {
  db.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, placed TEXT, cents INTEGER, paid INTEGER DEFAULT 0, note TEXT);
    CREATE INDEX orders_by_customer ON orders (customer, placed);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO customers SELECT i, 'Customer ' || i, substr('LondonLagosLimaLyonLinz', 1 + i % 18, 6) FROM n;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
      INSERT INTO orders (customer, placed, cents, note)
      SELECT 1 + i * 7919 % 5000, datetime(1700000000 + i * 60, 'unixepoch'), i * 104729 % 100000, 'order ' || hex(i * 2654435761) FROM n;
  `);
  return db.prepare("SELECT count(*) AS n FROM orders").get().n;
}

function total(db) {
  return db.prepare("SELECT count(*) || '/' || sum(cents) || '/' || sum(paid) AS t FROM orders").get().t;
}

function say(text) {
  console.log(`\n# ${text}`);
}

/** Shows the command as one would type it, and what it prints. */
function pagemark(...args) {
  console.log(`$ pagemark ${args.join(" ")}`);
  console.log(run(...args).trimEnd());
}

function run(...args) {
  return execFileSync(process.execPath, [cli, ...args], { cwd: folder, encoding: "utf8" });
}
