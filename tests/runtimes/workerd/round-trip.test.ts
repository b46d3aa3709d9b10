import * as pagemark from "pagemark";
import { expect, test } from "vitest";
import { dumps, roundTrip } from "../round-trip.ts";
import { TINY_SQL, tinyDatabase } from "../tiny-database.ts";

test("a backup downloads as the database it was made of, in workerd", async () => {
  expect(navigator.userAgent).toBe("Cloudflare-Workers");
  expect(await roundTrip(pagemark, tinyDatabase())).toEqual([...tinyDatabase()]);
});

test("C14 a database and a backup of it are dumped as the same SQL, in workerd", async () => {
  for (const sql of await dumps(pagemark, tinyDatabase())) expect(sql).toContain(TINY_SQL);
});
