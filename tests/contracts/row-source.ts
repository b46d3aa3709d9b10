// What every database that answers SQL must do to be backed up. Each driver's test calls `rowSourceContract`.
import type { RowTarget } from "pagemark";
import { describe, expect, test } from "vitest";

/** Registers the suite for the driver `name`; `use` calls its argument with an empty database, where that can be read. */
export function rowSourceContract(
  name: string,
  use: (action: (source: RowTarget) => Promise<void>) => Promise<void>,
): void {
  const cases = (title: string, action: (source: RowTarget) => Promise<void>) =>
    test(title, () => use(action));
  describe(`${name} is a source of rows`, () => {
    cases("each query is answered with its rows, as arrays, in order", async (source) => {
      await source.write(["CREATE TABLE t (a, b)", "INSERT INTO t VALUES (2, 'two'), (1, NULL)"]);
      const { rows, size } = await source.ask([
        { sql: "SELECT a AS x, b AS y FROM t ORDER BY a" },
        { sql: "SELECT a FROM t WHERE 0" },
        { sql: "SELECT count(*) AS n FROM t" },
      ]);
      expect(rows).toEqual([
        [
          [1, null],
          [2, "two"],
        ],
        [],
        [[2]],
      ]);
      expect(size).toBeGreaterThan(0);
    });

    cases("parameters are numbers, texts with any character, and bytes", async (source) => {
      const values = [1.5, -7, "a\0b\ufeff😀", new Uint8Array([0, 255])];
      const sql = "SELECT ?1 = 1.5 AS a, ?2 = -7 AS b, hex(?3) AS c, hex(?4) AS d, typeof(?4) AS e, ?1 AS f";
      const { rows } = await source.ask([{ sql, values }]);
      expect(rows).toEqual([[[1, 1, "610062EFBBBFF09F9880", "00FF", "blob", 1.5]]]);
    });

    cases("text comes through whole, with NUL and byte order marks", async (source) => {
      const sql = "SELECT CAST(x'610062' AS TEXT) AS a, CAST(x'efbbbf61' AS TEXT) AS b";
      expect((await source.ask([{ sql }])).rows).toEqual([[["a\0b", "\ufeffa"]]]);
    });

    cases("text that is not UTF-8 comes with U+FFFD in it, by which it is known", async (source) => {
      for (const bytes of ["ff61", "61eda080", "c0af", "f4908080", "61e282"]) {
        const { rows } = await source.ask([{ sql: `SELECT CAST(x'${bytes}' AS TEXT) AS a` }]);
        expect(rows[0]?.[0]?.[0], bytes).toContain("\ufffd");
      }
    });

    cases("BLOBs and reals come through as it says", async (source) => {
      const sql = "SELECT x'00ff' AS a, 9e999 AS b, -9e999 AS c, -0.0 AS d, 0.1 AS e, 5e-324 AS f";
      const [[row = []] = []] = (await source.ask([{ sql }])).rows;
      const blob = row[0] as ArrayBuffer | readonly number[];
      expect(blob instanceof ArrayBuffer).toBe(source.carriesBlobs);
      expect([...new Uint8Array(blob)]).toEqual([0, 255]);
      if (source.carriesReals) expect(row.slice(1, 4)).toEqual([Infinity, -Infinity, -0]);
      expect(row.slice(4)).toEqual([0.1, 5e-324]);
    });

    cases(
      "the count of changes rises with every row that is written, and with nothing that is read",
      async (source) => {
        // Without what the asking itself adds to it.
        let own = 0;
        const count = async () => {
          const {
            rows,
            ownChanges = 0,
            noChanges = 0,
          } = await source.ask([{ sql: "SELECT total_changes() AS n" }]);
          const counted = Number(rows[0]?.[0]?.[0]) - own - noChanges;
          own += ownChanges;
          return counted;
        };
        await source.write([
          "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
          "CREATE VIRTUAL TABLE f USING fts5(a)",
        ]);
        for (const sql of [
          "INSERT INTO t VALUES (1, 'x')",
          "UPDATE t SET a = a",
          "REPLACE INTO t VALUES (1, 'y')",
          "INSERT INTO f VALUES ('word')",
          "DELETE FROM t",
        ]) {
          const before = await count();
          expect(await count()).toBe(before);
          await source.write([sql]);
          expect(await count(), sql).toBeGreaterThan(before);
        }
      },
    );

    cases("statements are written as one transaction: all of them or none", async (source) => {
      await source.write(["CREATE TABLE t (a UNIQUE)"]);
      const refused = source.write(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"]);
      await expect(refused).rejects.toMatchObject({ code: "SOURCE_REFUSED" });
      expect((await source.ask([{ sql: "SELECT count(*) AS n FROM t" }])).rows).toEqual([[[0]]]);
    });

    cases("what cannot be asked is an error with a code and SQLite's words", async (source) => {
      await expect(source.ask([{ sql: "SELECT a FROM nowhere" }])).rejects.toMatchObject({
        code: "SOURCE_UNREADABLE",
        message: expect.stringContaining("no such table: nowhere"),
      });
    });

    cases("an abort ends the asking, with its reason", async (source) => {
      const reason = new Error("the user pressed stop");
      const asked = source.ask([{ sql: "SELECT 1 AS a" }], AbortSignal.abort(reason));
      await expect(asked).rejects.toBe(reason);
    });
  });
}
