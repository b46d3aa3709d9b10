// Bookmarks, times and holds: which states can be read and gone back to.
import { PagemarkError } from "pagemark";
import { Database, type Hold } from "pagemark/engine";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { random as seeded } from "../faults/random.ts";
import { codeOf, column, thrownBy } from "./support.ts";

/** The clock of these tests: states are told apart by their times. */
const START = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
});

afterEach(() => {
  vi.useRealTimers();
});

const wait = (ms: number) => vi.setSystemTime(Date.now() + ms);

interface Kept {
  bookmark: string;
  txid: string;
  at: Date;
  rows: unknown[];
}

const rowsOf = (db: Database) => column(db, "SELECT id || ':' || a FROM t ORDER BY id");

/** Makes `count` commits, a second apart, and notes what each one left. */
function write(db: Database, count: number, random = seeded(1)): Kept[] {
  const upsert = db.prepare("INSERT INTO t VALUES (?, ?) ON CONFLICT DO UPDATE SET a = excluded.a");
  const remove = db.prepare("DELETE FROM t WHERE id = ?");
  return Array.from({ length: count }, (_, n) => {
    wait(1000);
    // The same row often enough to be changed, and each commit changes something.
    upsert.run(random(40), n);
    if (n % 7 === 0) remove.run(random(40));
    return keep(db);
  });
}

function keep(db: Database): Kept {
  const { bookmark, txid, at } = db.states().at(-1) ?? { bookmark: "", txid: "", at: new Date(0) };
  expect(db.bookmark()).toBe(bookmark);
  return { bookmark, txid, at, rows: rowsOf(db) };
}

async function opened(history?: { commits?: number; ageMs?: number }): Promise<Database> {
  const db = await Database.open(history ? { history } : {});
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
  return db;
}

describe("B11 B12 states of the past", () => {
  test("1,000 commits: as of each of 100 of them, by bookmark, TXID, time and age, it is what it was", async () => {
    using db = await opened({ commits: Number.POSITIVE_INFINITY });
    const kept = write(db, 1000);
    const random = seeded(2);
    for (let n = 0; n < 100; n++) {
      const at = random(kept.length);
      const { bookmark, txid, rows } = kept[at] as Kept;
      const time = (kept[at] as Kept).at;
      const midway = new Date(time.getTime() + 300);
      const age = (Date.now() - midway.getTime()) / 1000;
      expect(db.bookmarkAt(time)).toBe(bookmark);
      expect(db.bookmarkAt(midway)).toBe(bookmark);
      expect(db.bookmarkAt(txid)).toBe(bookmark);
      expect(db.bookmarkAt(midway.toISOString())).toBe(bookmark);
      expect(db.bookmarkAt(String(Math.floor(midway.getTime() / 1000)))).toBe(
        db.bookmarkAt(new Date(Math.floor(midway.getTime() / 1000) * 1000)),
      );
      if (Number.isInteger(age)) expect(db.bookmarkAt(`-${age}s`)).toBe(bookmark);
      db.restore({ at: [bookmark, txid, midway, midway.toISOString()][n % 4] ?? bookmark });
      expect(rowsOf(db)).toEqual(rows);
    }
    expect(db.check().ok).toBe(true);
  });

  test("an age is counted from now, and a commit counts from its own time on", async () => {
    using db = await opened({ commits: 100 });
    const [one, two] = write(db, 2) as [Kept, Kept];
    wait(60_000);
    expect(db.bookmarkAt("-1m")).toBe(two.bookmark);
    expect(db.bookmarkAt("-61s")).toBe(one.bookmark);
    expect(db.bookmarkAt(new Date(two.at.getTime() - 1))).toBe(one.bookmark);
    expect(db.bookmarkAt("latest")).toBe(two.bookmark);
    expect(db.bookmarkAt(new Date())).toBe(two.bookmark);
  });

  test("a time before the first or after the last, a state of never, of nobody, of no words: typed errors", async () => {
    using db = await opened({ commits: 100 });
    const [one] = write(db, 3) as [Kept];
    using other = await opened();
    const codes = {
      "2020-01-01T00:00:00Z": "TIME_BEFORE_FIRST",
      "-1h": "TIME_BEFORE_FIRST",
      "2099-01-01T00:00:00Z": "TIME_AFTER_LAST",
      "0000000000000fff": "HISTORY_UNKNOWN",
      "0000000000000000": "HISTORY_UNKNOWN",
      [other.bookmark()]: "BOOKMARK_LINEAGE",
      "the day before yesterday": "AT_SYNTAX",
    };
    const before = keep(db);
    for (const [at, code] of Object.entries(codes)) {
      for (const use of [() => db.bookmarkAt(at), () => db.restore({ at }), () => db.hold({ at })]) {
        const error = thrownBy(use);
        expect([error.code, at]).toEqual([code, at]);
        expect(error).toBeInstanceOf(PagemarkError);
      }
    }
    expect(codeOf(() => db.bookmarkAt(new Date(Number.NaN)))).toBe("AT_SYNTAX");
    // A bookmark of the right database and state whose checksum is another's is of no state of this one.
    const forged = one.bookmark.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
    expect(() => db.bookmarkAt(forged)).toThrow(PagemarkError);
    expect(keep(db)).toEqual(before);
  });

  test("before the first commit there is no bookmark, and nothing to go back to", async () => {
    using db = await Database.open();
    expect(codeOf(() => db.bookmark())).toBe("DATABASE_EMPTY");
    expect(codeOf(() => db.bookmarkAt("latest"))).toBe("DATABASE_EMPTY");
    expect(codeOf(() => db.bookmarkAt(new Date()))).toBe("TIME_BEFORE_FIRST");
    expect(codeOf(() => db.restore({ at: "-1m" }))).toBe("TIME_BEFORE_FIRST");
    expect([db.states(), db.serialize().length]).toEqual([[], 0]);
  });

  test("a clock that is set back makes no state that cannot be found", async () => {
    using db = await opened({ commits: 100 });
    const [one] = write(db, 1) as [Kept];
    wait(-3_600_000);
    db.exec("DELETE FROM t");
    const times = db.states().map(({ at }) => at.getTime());
    expect(times).toEqual([...times].sort((a, b) => a - b));
    db.restore({ at: one.bookmark });
    expect(rowsOf(db)).toEqual(one.rows);
  });
});

describe("the history window", () => {
  test("none is kept unless asked for", async () => {
    using db = await opened();
    const [one] = write(db, 5) as [Kept];
    expect(db.states()).toHaveLength(1);
    expect(codeOf(() => db.restore({ at: one.bookmark }))).toBe("HISTORY_GONE");
    expect(codeOf(() => db.bookmarkAt(one.at))).toBe("HISTORY_GONE");
  });

  test("keeps so many commits before the newest", async () => {
    using db = await opened({ commits: 10 });
    const kept = write(db, 50);
    const newest = kept.at(-1)?.txid as string;
    expect(db.states().at(-1)?.txid).toBe(newest);
    expect(db.states()).toHaveLength(11);
    const oldest = db.states()[0]?.txid ?? "";
    expect(Number.parseInt(newest, 16) - Number.parseInt(oldest, 16)).toBe(10);
    expect(codeOf(() => db.bookmarkAt(kept[20]?.bookmark ?? ""))).toBe("HISTORY_GONE");
    const reachable = kept.find(({ txid }) => txid >= oldest) as Kept;
    db.restore({ at: reachable.bookmark });
    expect(rowsOf(db)).toEqual(reachable.rows);
  });

  test("keeps every state that the database was in for so long", async () => {
    using db = await opened({ ageMs: 10_000 });
    const kept = write(db, 50);
    wait(500);
    db.exec("INSERT INTO t VALUES (999, 'later')");
    const inTime = kept.filter(({ at }) => at.getTime() > Date.now() - 10_000);
    for (const { at, bookmark } of inTime) expect(db.bookmarkAt(at)).toBe(bookmark);
    // The one before was still the database's state when the window began.
    const atStart = kept[kept.length - inTime.length - 1] as Kept;
    expect(db.bookmarkAt("-10s")).toBe(atStart.bookmark);
    const older = kept[kept.length - inTime.length - 3] as Kept;
    expect(codeOf(() => db.bookmarkAt(older.bookmark))).toBe("HISTORY_GONE");
  });
});

describe("restore({ at })", () => {
  test("is a commit, and the bookmark it gives undoes it", async () => {
    using db = await opened({ commits: 100 });
    const [one, two] = write(db, 2) as [Kept, Kept];
    const undo = db.restore({ at: one.bookmark });
    expect(undo).toBe(two.bookmark);
    expect(rowsOf(db)).toEqual(one.rows);
    expect((db.states().at(-1)?.txid ?? "") > two.txid).toBe(true);
    const redo = db.restore({ at: undo });
    expect(rowsOf(db)).toEqual(two.rows);
    db.restore({ at: redo });
    expect(rowsOf(db)).toEqual(one.rows);
  });

  test("its undo is kept for a day, also without a history", async () => {
    using db = await opened();
    const hold = db.hold();
    write(db, 3);
    const before = rowsOf(db);
    const undo = db.restore({ at: hold.bookmark });
    hold.release();
    wait(23 * 3600 * 1000);
    write(db, 5);
    db.restore({ at: undo });
    expect(rowsOf(db)).toEqual(before);
    const again = db.restore({ at: undo });
    wait(25 * 3600 * 1000);
    db.exec("DELETE FROM t");
    expect(codeOf(() => db.restore({ at: again }))).toBe("HISTORY_GONE");
  });

  test("A14 statements that were compiled before see the restored rows when they are next run", async () => {
    using db = await opened({ commits: 10 });
    const select = db.prepare("SELECT * FROM t ORDER BY id");
    const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
    insert.run(1, "kept");
    const at = db.bookmark();
    insert.run(2, "gone");
    expect(select.all()).toHaveLength(2);
    db.restore({ at });
    expect(select.all()).toEqual([{ id: 1, a: "kept" }]);
    insert.run(2, "other");
    expect([...select.iterate()]).toHaveLength(2);
    expect(db.check().ok).toBe(true);
  });

  test("A14 goes over changes of the schema, of the page size and of everything", async () => {
    using db = await opened({ commits: 100 });
    const [one] = write(db, 1) as [Kept];
    const select = db.prepare("SELECT count(*) AS n FROM t");
    db.exec("ALTER TABLE t RENAME TO u; CREATE TABLE big (a); INSERT INTO big VALUES (zeroblob(300000))");
    const big = db.bookmark();
    db.exec("DROP TABLE big; PRAGMA page_size = 1024; VACUUM");
    expect(codeOf(() => select.get())).toBe("SQL_ERROR");
    db.restore({ at: one.bookmark });
    expect([select.get(), rowsOf(db)]).toEqual([{ n: one.rows.length }, one.rows]);
    db.restore({ at: big });
    expect(column(db, "SELECT length(a) FROM big")).toEqual([300_000]);
    expect([db.check().ok, db.states().at(-1)?.pageSize]).toEqual([true, 4096]);
  });
});

describe("E8 hold()", () => {
  const busy = (db: Database) => write(db, 20);

  test("keeps a state readable while others go, until it is released", async () => {
    using db = await opened();
    const [, held] = write(db, 2) as [Kept, Kept];
    const hold = db.hold({ leaseMs: 3_600_000 });
    expect(hold.bookmark).toBe(held.bookmark);
    busy(db);
    expect(db.states().map(({ bookmark }) => bookmark)).toEqual([held.bookmark, db.bookmark()]);
    expect([hold.release(), hold.release()]).toEqual([true, false]);
    expect(codeOf(() => db.restore({ at: held.bookmark }))).toBe("HISTORY_GONE");
    expect(codeOf(() => hold.renew())).toBe("PIN_UNKNOWN");
  });

  test("ends with its lease, unless that is renewed", async () => {
    using db = await opened();
    const hold = db.hold({ leaseMs: 50 });
    const renewed = db.hold({ leaseMs: 50 });
    for (let n = 0; n < 5; n++) {
      wait(40);
      renewed.renew();
      db.exec("DELETE FROM t");
      db.exec(`INSERT INTO t VALUES (${n}, 'x')`);
    }
    expect(codeOf(() => hold.renew())).toBe("PIN_UNKNOWN");
    expect(hold.release()).toBe(false);
    // It is the same state, and one of its two holds still stands.
    expect(db.bookmarkAt(renewed.bookmark)).toBe(renewed.bookmark);
    wait(60);
    db.exec("DELETE FROM t");
    expect(codeOf(() => db.restore({ at: renewed.bookmark }))).toBe("HISTORY_GONE");
  });

  test("is of the newest state, or of one in the window, and ends with its scope", async () => {
    using db = await opened({ commits: 5 });
    const kept = write(db, 5);
    const { bookmark, rows } = kept[3] as Kept;
    let outside: Hold;
    {
      await using hold = db.hold({ at: bookmark, leaseMs: 1e12 });
      outside = hold;
      busy(db);
      db.restore({ at: hold.bookmark });
      expect(rowsOf(db)).toEqual(rows);
      busy(db);
    }
    expect(codeOf(() => db.bookmarkAt(outside.bookmark))).toBe("HISTORY_GONE");
  });
});
