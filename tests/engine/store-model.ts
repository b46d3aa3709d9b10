// One random life of a database over any store, with the same life over a store that is right by looking at it. Runs
// in Node and in workerd.
import type * as Engine from "pagemark/engine";
import { random as seeded } from "../faults/random.ts";
import { MapStore } from "./map-store.ts";

type Db = Engine.Database;

export interface Life {
  /** After how many commits the two differed; `undefined` when they never did. */
  differed: number | undefined;
  commits: number;
  /** How many states of the past were compared, and how many were gone back to. */
  compared: number;
  restored: number;
}

/**
 * Runs random statements in `store` and in a {@link MapStore}, and compares the files after every commit; and with
 * holds and history, the pages that the stores give for every state that is kept.
 */
export async function live(
  { Database }: Pick<typeof Engine, "Database">,
  store: Engine.PageStore,
  { seed, steps, spillAfter }: { seed: number; steps: number; spillAfter?: number },
): Promise<Life> {
  const random = seeded(seed);
  // What SQLite writes of pages that are free depends on whether its cache spills.
  const model = new MapStore({ scratch: store.scratch !== undefined });
  const history = { commits: seed % 3 === 0 ? 0 : 3 + random(10) };
  const open = () =>
    Promise.all(
      [store, model].map((each) => {
        const small = spillAfter === undefined ? {} : { spillAfter, cacheSize: 8192 };
        return Database.open({ store: each, pageSize: 512, history, ...small });
      }),
    );
  let dbs = (await open()) as [Db, Db];
  const life: Life = { differed: undefined, commits: 0, compared: 0, restored: 0 };
  let holds: [Engine.Hold, Engine.Hold][] = [];
  const both = <T>(action: (db: Db) => T) => dbs.map(action) as [T, T];

  both((db) => db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (a)"));
  for (let step = 0; step < steps; step++) {
    const sql = statement(random);
    if (sql) both((db) => db.exec(sql));
    else if (random(8) === 0) {
      // A program that ended and began anew: whatever it held, it does not any more.
      both((db) => db.close());
      dbs = (await open()) as [Db, Db];
      holds = [];
    } else if (random(2) === 0 && holds.length < 4) {
      const states = dbs[0].states();
      const at = states[random(states.length)]?.txid ?? "latest";
      holds.push(both((db) => db.hold({ at, leaseMs: 1e9 })));
    } else if (holds.length > 0) {
      const [hold] = holds.splice(random(holds.length), 1);
      if (random(2) === 0) {
        const { txid = "" } = dbs[0].states().find(({ bookmark }) => bookmark === hold?.[0].bookmark) ?? {};
        both((db) => db.restore({ at: txid }));
        life.restored++;
      }
      for (const each of hold ?? []) each.release();
    }
    life.commits = Number.parseInt(dbs[0].states().at(-1)?.txid ?? "0", 16);
    if (
      !isEqual(dbs[0].serialize(), dbs[1].serialize()) ||
      (step % 5 === 0 && !isEqualPast(store, model, life))
    ) {
      life.differed = life.commits;
      break;
    }
  }
  for (const hold of holds.flat()) hold.release();
  both((db) => db.close());
  return life;
}

function statement(random: (below: number) => number): string | undefined {
  const id = random(200);
  switch (random(10)) {
    case 0:
    case 1:
      return `INSERT OR REPLACE INTO t VALUES (${id}, '${"x".repeat(random(1500))}')`;
    case 2:
      return `UPDATE t SET a = ${random(1e6)} WHERE id % 7 = ${id % 7}`;
    case 3:
      return `DELETE FROM t WHERE id BETWEEN ${id} AND ${id + random(60)}`;
    case 4:
      return `WITH RECURSIVE n(id) AS (VALUES (${id}) UNION ALL SELECT id + 1 FROM n WHERE id < ${id + random(100)})
        INSERT OR IGNORE INTO t SELECT id, zeroblob(200) FROM n`;
    case 5:
      return random(4) === 0 ? "DELETE FROM t; VACUUM" : `UPDATE t SET a = 1 WHERE id = ${id}`;
    case 6:
      return `BEGIN; DELETE FROM t; ${random(2) === 0 ? "ROLLBACK" : "COMMIT"}`;
    case 7:
      return `SAVEPOINT s; UPDATE t SET a = a || a WHERE length(a) < 100 AND id > ${id}; SAVEPOINT u;
        DELETE FROM t WHERE id % 2; ${random(2) === 0 ? "ROLLBACK TO u" : ""}; ${random(3) === 0 ? "ROLLBACK TO s" : ""};
        RELEASE s`;
    default:
      return undefined;
  }
}

/** Whether every page of every state that the model still has is the same in both, and so is what changed between them. */
function isEqualPast(store: Engine.PageStore, model: MapStore, life: Life): boolean {
  const opened = model.open();
  if (!opened) return true;
  const pins = new Set(opened.keep.pins);
  const kept = opened.commits.filter(({ txid }) => txid >= opened.keep.from || pins.has(txid));
  for (const { txid, pageCount } of kept) {
    for (let pgno = 1; pgno <= pageCount; pgno++) {
      life.compared++;
      if (!isEqual(store.read(pgno, txid), model.read(pgno, txid))) return false;
    }
    const changed = (each: Engine.PageStore) => {
      return [...each.changed(opened.keep.from - 1, txid)].filter((pgno) => pgno <= pageCount).join();
    };
    if (changed(store) !== changed(model)) return false;
  }
  return true;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
