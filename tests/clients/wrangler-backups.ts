// `wrangler d1 backup`, which every wrangler 3 has and no wrangler 4.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fileAt } from "../peers/d1/place.ts";
import type { TestApi } from "./api.ts";
import { contentsOf, expectSame, LIBRARY } from "./library.ts";
import { Wrangler, type WranglerVersion } from "./wrangler.ts";

interface Backup {
  id: string;
  created_at: string;
  num_tables: number;
  file_size: number;
}

export function backups(worker: TestApi, version: WranglerVersion): void {
  const wrangler = new Wrangler(worker, version);

  describe("backup", () => {
    test("A5 A6 A7 A10 A11 A13 create, list, download and restore", async () => {
      const uuid = await worker.create("library", LIBRARY);
      const expected = await contentsOf(worker.folder, LIBRARY);
      const database = worker.database(uuid);
      const made = await wrangler.d1("backup", "create", "library");
      expect(made).toMatch(/created_at/);

      const [backup, ...others] = await listed();
      expect(others).toEqual([]);
      const { id = "", num_tables } = backup ?? {};
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      const [[tables]] = (await database.rows(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
      )) as [[number]];
      expect(Number(num_tables)).toBe(tables);

      await database.run(["DROP TABLE loans;", "CREATE TABLE later (x);", "UPDATE books SET price = 0;"]);
      const name = `library.${id.slice(0, 8)}.sqlite3`;
      expect(await wrangler.d1("backup", "download", "library", id)).toContain(name);
      await expectSame(fileAt(wrangler.path(name)), expected);
      const [[pages]] = (await fileAt(wrangler.path(name)).rows("PRAGMA page_count")) as [[number]];
      expect(readFileSync(wrangler.path(name)).length).toBe(pages * 4096);
      await wrangler.d1("backup", "download", "library", id, "--output", "elsewhere.db");
      expect(readFileSync(wrangler.path("elsewhere.db")).equals(readFileSync(wrangler.path(name)))).toBe(
        true,
      );

      await wrangler.d1("backup", "restore", "library", id);
      await expectSame(database, expected);

      // wrangler shows one backup for each "just now", "a minute ago", ...: the API tells all.
      const [safety = "", ...before] = await worker.backups(uuid);
      expect(before, "what was replaced is the newest one").toEqual([id]);
      await wrangler.d1("backup", "restore", "library", safety);
      expect(await database.rows("SELECT count(*) FROM later")).toEqual([[0]]);
    });

    test("an id that no backup has is refused", async () => {
      const missing = "123a81a2-ab91-4c2e-8ebc-64d69633faf9";
      await worker.create("without");
      for (const command of ["download", "restore"]) {
        const { status, output } = await wrangler.tryD1("backup", command, "without", missing);
        expect(output, command).toMatch(/404|no backup/);
        expect(status, command).toBe(1);
      }
    });
  });

  /** `backup list` prints a table only: this reads its ids and numbers of tables. */
  async function listed(): Promise<Partial<Backup>[]> {
    const printed = await wrangler.d1("backup", "list", "library");
    return printed
      .split("\n")
      .filter((line) => /[0-9a-f]{8}-/.test(line))
      .map((line) => {
        const [, , id = "", tables = ""] = line.split("│").map((cell) => cell.trim());
        return { id, num_tables: Number(tables) };
      });
  }
}
