import { afterAll, beforeAll, expect, test } from "vitest";
import { ENGINE_TRIP, type EngineTrip, engineTrip } from "../engine-round-trip.ts";
import { type Chromium, startChromium } from "./chromium.ts";

let chromium: Chromium;

beforeAll(async () => {
  chromium = await startChromium();
});

afterAll(async () => {
  await chromium[Symbol.asyncDispose]();
});

test("A11 B1 B2 B11 a database of the engine is written, backed up, gone back in, restored and dumped, in Chromium", async () => {
  const page = await chromium.open();
  // The function is sent as text: it uses nothing but its arguments. The module is loaded by whoever asks for it.
  const trip = (await page.evaluate(
    `import("/entry/engine.browser.js").then((engine) => (${engineTrip})(pagemark, engine))`,
  )) as EngineTrip;
  const { sql, ...rest } = trip;
  expect(rest).toEqual(ENGINE_TRIP);
  expect(sql).toContain("(1,'one',");
});
