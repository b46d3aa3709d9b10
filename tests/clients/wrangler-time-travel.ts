// Time travel, as every wrangler offers it.
import { describe, expect, test } from "vitest";
import type { TestApi } from "./api.ts";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";
import { Wrangler, type WranglerVersion } from "./wrangler.ts";

interface Bookmarked {
  bookmark: string;
}

export function timeTravel(worker: TestApi, version: WranglerVersion): void {
  const wrangler = new Wrangler(worker, version);

  describe("time-travel", () => {
    test("A12 goes back to a bookmark and to a time; what it replaced can be gone back to", async () => {
      const uuid = await worker.create("travelled", LIBRARY);
      const expected = await contentsOf(worker.folder, LIBRARY);
      const { bookmark } = await wrangler.json<Bookmarked>("time-travel", "info", "travelled");
      expect(bookmark).toMatch(/^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);
      // Time stamps are in milliseconds, and the next commit is to be later.
      const before = new Date(Date.now() + 5).toISOString();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const database = worker.database(uuid);
      await database.run(["DROP VIEW borrowed;", "DELETE FROM loans;", "CREATE TABLE later (x);"]);

      const restored = await wrangler.json<Bookmarked & { previous_bookmark: string }>(
        ...["time-travel", "restore", "travelled", "--bookmark", bookmark],
      );
      await expectSame(database, expected);
      const at = ["time-travel", "info", "travelled", "--timestamp", before];
      expect(await wrangler.json<Bookmarked>(...at)).toEqual({ bookmark });

      await wrangler.d1("time-travel", "restore", "travelled", "--bookmark", restored.previous_bookmark);
      expect(await database.rows("SELECT count(*) FROM loans"), "undone").toEqual([[0]]);

      await wrangler.d1("time-travel", "restore", "travelled", "--timestamp", before);
      await expectSame(database, expected);
    });

    test("D4 refuses a bookmark that is none of its own, and touches nothing", async () => {
      const uuid = await worker.create("kept", "CREATE TABLE t (a);");
      const foreign = "00000000-00000002-0000512a-00000000000000000000000000000000";
      const refused = await wrangler.tryD1("time-travel", "restore", "kept", "--bookmark", foreign);
      expect(refused).toMatchObject({ status: 1, output: expect.stringMatching(/BOOKMARK|bookmark/) });
      expect(await worker.database(uuid).rows("SELECT count(*) FROM t")).toEqual([[0]]);
    });
  });
}
