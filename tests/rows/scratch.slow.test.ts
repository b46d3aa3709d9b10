// Databases whose pages are more than memory is meant for.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();

test("their pages lie in the store meanwhile, and nothing stays of that", async () => {
  for (const place of cloudflare.both()) {
    await place.run(["CREATE TABLE t (id INTEGER PRIMARY KEY, b, c)"]);
    for (let at = 0; at < 4; at++) {
      await place.run(
        Array.from({ length: 4 }, () => "INSERT INTO t (b, c) VALUES (zeroblob(1200000), 'x')"),
      );
    }
    const { taken, pageCount } = await place.backup();
    expect(taken).toBe("start");
    expect(pageCount).toBeGreaterThan((14 << 20) / 4096);
    expect((await place.stored()).filter((key) => key.includes("scratch"))).toEqual([]);
    const path = join(folder, `${place.database}.sqlite3`);
    writeFileSync(path, await place.download());
    const sums = "SELECT count(*), sum(id), sum(length(b)), max(hex(substr(b, -9))), max(c) FROM t";
    expect(await fileAt(path).rows(sums)).toEqual(await place.rows(sums));
    expect(await fileAt(path).rows("PRAGMA integrity_check")).toEqual([["ok"]]);
  }
}, 240_000);
