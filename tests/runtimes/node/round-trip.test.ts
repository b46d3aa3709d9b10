import * as pagemark from "pagemark";
import { expect, test } from "vitest";
import { roundTrip } from "../round-trip.ts";
import { tinyDatabase } from "../tiny-database.ts";

test("a backup downloads as the database it was made of, in Node 22", async () => {
  expect(process.versions.node).toMatch(/^22\./);
  expect(await roundTrip(pagemark, tinyDatabase())).toEqual([...tinyDatabase()]);
});
