// The unmodified wrangler 4.164.0 against `pagemark serve`, over plain files. All that it does against the Worker takes
// minutes: `PAGEMARK_ALL_CLIENTS=1` has it done.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TestServer } from "./served.ts";
import { Wrangler } from "./wrangler.ts";
import { basics } from "./wrangler-basics.ts";
import { files } from "./wrangler-files.ts";
import { timeTravel } from "./wrangler-time-travel.ts";

const server = new TestServer();

if (process.env.PAGEMARK_ALL_CLIENTS === "1") {
  basics(server, "4");
  files(server, "4");
  timeTravel(server, "4");
} else {
  test("D13 D15 executes a command and a file, and exports what is there then", async () => {
    const wrangler = new Wrangler(server, "4");
    const uuid = await server.create("shop");
    const sql = join(server.folder, "shop.sql");
    writeFileSync(sql, "CREATE TABLE t (a); INSERT INTO t VALUES (9007199254740993);");
    await wrangler.d1("execute", "shop", "--remote", "--file", sql, "-y");
    const rows = await wrangler.json<{ results: unknown }[]>(
      ...["execute", "shop", "--remote", "--command", "SELECT CAST(a AS TEXT) AS a FROM t"],
    );
    expect(rows[0]?.results).toEqual([{ a: "9007199254740993" }]);
    const out = join(server.folder, "out.sql");
    await wrangler.d1("export", "shop", "--remote", "--output", out, "-y");
    const copy = await server.create("copy");
    await wrangler.d1("execute", "copy", "--remote", "--file", out, "-y");
    expect(await server.database(copy).rows("SELECT CAST(a AS TEXT) FROM t")).toEqual(
      await server.database(uuid).rows("SELECT CAST(a AS TEXT) FROM t"),
    );
  });
}
