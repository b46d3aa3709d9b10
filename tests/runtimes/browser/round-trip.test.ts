import { afterAll, beforeAll, expect, test } from "vitest";
import { dumps, roundTrip } from "../round-trip.ts";
import { TINY_SQL, tinyDatabase } from "../tiny-database.ts";
import { type Chromium, startChromium } from "./chromium.ts";

let chromium: Chromium;

beforeAll(async () => {
  chromium = await startChromium();
});

afterAll(async () => {
  await chromium[Symbol.asyncDispose]();
});

test("A10 a backup downloads as the database it was made of, in Chromium", async () => {
  const page = await chromium.open();
  const bytes = [...tinyDatabase()];
  // The function is sent as text: it uses nothing but its arguments.
  const downloaded = await page.evaluate(
    `(${roundTrip})(pagemark, new Uint8Array(${JSON.stringify(bytes)}))`,
  );
  expect(downloaded).toEqual(bytes);
});

test("C14 a database and a backup of it are dumped as the same SQL, in Chromium", async () => {
  const page = await chromium.open();
  const dumped = await page.evaluate(
    `(${dumps})(pagemark, new Uint8Array(${JSON.stringify([...tinyDatabase()])}))`,
  );
  for (const sql of dumped as string[]) expect(sql).toContain(TINY_SQL);
});
