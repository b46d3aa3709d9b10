import * as pagemark from "pagemark";
import * as engine from "pagemark/engine";
import { expect, test } from "vitest";
import { ENGINE_TRIP, engineTrip } from "../engine-round-trip.ts";

test("a database of the engine is written, backed up, gone back in, restored and dumped, in Node 22", async () => {
  const { sql, ...rest } = await engineTrip(pagemark, engine);
  expect(rest).toEqual(ENGINE_TRIP);
  expect(sql).toContain("(1,'one',");
});
