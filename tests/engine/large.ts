// Transactions far larger than memory is to hold, over a store that takes what is not committed. Runs in Node and in
// workerd.
import type * as Engine from "pagemark/engine";
// The very module that the engine runs in.
import init from "../../js/dist/pkg/engine/pagemark.js";

/** The module runs already, and needs no bytes. */
const NONE = new Uint8Array();

/** What a step took, in seconds, and what the engine's wasm memory had grown to, in MiB: it never shrinks. */
export type Steps = Record<string, { seconds: number; mib: number }>;

const RIGHT = `SELECT count(*) AS n, count(*) FILTER (WHERE b <> printf('%0960d', a)) AS wrong FROM t`;

/**
 * Fills `store` with about so many megabytes of rows in one statement, and then does all that works on all of it.
 * `check` gets what is to be so after each step.
 */
export async function largeWork(
  { Database }: Pick<typeof Engine, "Database">,
  store: Engine.PageStore,
  megabytes: number,
  check: (step: string, is: unknown, expected: unknown) => void,
): Promise<Steps> {
  const rows = megabytes * 1000;
  const steps: Steps = {};
  const step = async (name: string, action: () => unknown) => {
    const start = Date.now();
    await action();
    const seconds = (Date.now() - start) / 1000;
    steps[name] = { seconds, mib: (await init({ module_or_path: NONE })).memory.buffer.byteLength / 2 ** 20 };
  };
  using db = await Database.open({ store, history: { commits: 3 } });
  const isRight = (name: string) => check(name, db.prepare(RIGHT).get(), { n: rows, wrong: 0 });
  db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)");
  await step("INSERT", () =>
    db.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${rows})
      INSERT INTO t SELECT i, i * 7919 % 1000003, printf('%0960d', i * 7919 % 1000003) FROM n`),
  );
  isRight("INSERT");
  const inserted = db.bookmark();
  await step("CREATE INDEX", () => db.exec("CREATE INDEX i ON t (b)"));
  const last = db.prepare("SELECT max(b) = printf('%0960d', max(a)) AS found FROM t INDEXED BY i").get();
  check("CREATE INDEX", last, { found: 1 });
  db.exec("DROP INDEX i");
  await step("UPDATE, ROLLBACK", () => db.exec("BEGIN; UPDATE t SET b = id; ROLLBACK"));
  isRight("ROLLBACK");
  await step("UPDATE", () => db.exec("UPDATE t SET b = replace(b, '0', 'x')"));
  await step("restore", () => db.restore({ at: inserted }));
  isRight("restore");
  await step("VACUUM", () => db.exec("VACUUM"));
  isRight("VACUUM");
  const copy = db.compact();
  db.exec("DROP TABLE t");
  await step("load", () => db.load(copy));
  isRight("load");
  return steps;
}
