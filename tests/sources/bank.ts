// A database whose every state is known: transaction n moves money between accounts, in a way that n alone decides.
import { rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

export interface BankOptions {
  journal: "wal" | "delete" | "truncate" | "persist";
  accounts?: number;
  /** Bytes beside each balance, to make the database larger. */
  padding?: number;
  pageSize?: number;
}

const MOVES = 4;

export function createBank(
  path: string,
  { journal, accounts = 200, padding = 100, pageSize = 4096 }: BankOptions,
): void {
  const db = new DatabaseSync(path);
  db.exec(`
    PRAGMA page_size = ${pageSize};
    PRAGMA journal_mode = ${journal};
    CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, padding BLOB);
    CREATE TABLE marker(n INTEGER NOT NULL);
    INSERT INTO marker VALUES(0);
    WITH ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ${accounts})
      INSERT INTO account SELECT id, 1000, randomblob(${padding}) FROM ids`);
  db.close();
}

/** Who moves money in the `n`th transaction. */
function movesOf(n: number, accounts: number): { from: number; to: number; amount: number }[] {
  return Array.from({ length: MOVES }, (_, i) => ({
    from: ((n * 7919 + i * 104_729) % accounts) + 1,
    to: ((n * 6007 + i * 15_485_863) % accounts) + 1,
    amount: (n + i) % 100,
  }));
}

/** Makes the next transactions on an open connection. */
export function teller(db: DatabaseSync) {
  const { count } = db.prepare("SELECT count(*) AS count FROM account").get() as { count: number };
  const move = db.prepare("UPDATE account SET balance = balance + ? WHERE id = ?");
  const mark = db.prepare("UPDATE marker SET n = n + 1");
  const marker = db.prepare("SELECT n FROM marker");
  return {
    marker: () => (marker.get() as { n: number }).n,
    /** One transaction; `before` runs in it, before the commit. */
    transact(before?: () => void): number {
      db.exec("BEGIN IMMEDIATE");
      try {
        const n = (marker.get() as { n: number }).n + 1;
        for (const { from, to, amount } of movesOf(n, count)) {
          move.run(-amount, from);
          move.run(amount, to);
        }
        mark.run();
        before?.();
        db.exec("COMMIT");
        return n;
      } catch (error) {
        if (db.isTransaction) db.exec("ROLLBACK");
        throw error;
      }
    },
  };
}

/** Checks that `image` is the bank after one of its transactions, and says after which. */
export function markerOf(image: Uint8Array, path: string): number {
  const standalone = image.slice();
  // A moment of a database in WAL mode says so in its header. Read so, it would need a WAL.
  standalone.set([1, 1], 18);
  writeFileSync(path, standalone);
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const { integrity_check: verdict } = db.prepare("PRAGMA integrity_check").get() as {
      integrity_check: string;
    };
    if (verdict !== "ok") throw new Error(`integrity_check: ${verdict}`);
    const rows = db.prepare("SELECT balance FROM account ORDER BY id").all() as { balance: number }[];
    const { n } = db.prepare("SELECT n FROM marker").get() as { n: number };
    const expected = new Array(rows.length).fill(1000);
    for (let i = 1; i <= n; i++) {
      for (const { from, to, amount } of movesOf(i, rows.length)) {
        expected[from - 1] -= amount;
        expected[to - 1] += amount;
      }
    }
    const wrong = rows.findIndex(({ balance }, i) => balance !== expected[i]);
    if (wrong !== -1) throw new Error(`account ${wrong + 1} is not as after transaction ${n}`);
    return n;
  } finally {
    db.close();
    rmSync(path);
  }
}
