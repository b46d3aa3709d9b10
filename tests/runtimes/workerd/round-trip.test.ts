import * as pagemark from "pagemark";
import { expect, test } from "vitest";
import { roundTrip } from "../round-trip.ts";
import { tinyDatabase } from "../tiny-database.ts";

test("a backup downloads as the database it was made of, in workerd", async () => {
  expect(navigator.userAgent).toBe("Cloudflare-Workers");
  expect(await roundTrip(pagemark, tinyDatabase())).toEqual([...tinyDatabase()]);
});
