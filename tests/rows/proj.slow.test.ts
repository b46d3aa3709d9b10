// proj.db, a real database, in D1: put there, backed up, and compared.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contents, differences, fileAt } from "../peers/d1/place.ts";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./cloudflare.ts";

const folder = tempFolder();
const cloudflare = new Cloudflare();
const proj = join(import.meta.dirname, "../../.cache/proj.db");
/** What D1 does not take, which a warning says: see tests/peers/dump-d1-wrangler.slow.test.ts. */
const LEFT_OUT =
  / (object_view|authority_list|conversion_method_check_insert_trigger|(usage|alias_name|supersession|deprecation)_insert_trigger)( |$)/;

test("every cell of proj.db is in D1, and in its backup, and in a Durable Object that this is restored into", async () => {
  const all = await contents(fileAt(proj));
  const wanted = Object.fromEntries(Object.entries(all).filter(([name]) => !LEFT_OUT.test(name)));
  const place = cloudflare.d1();
  const { verified, warnings } = await place.import(readFileSync(proj));
  expect(warnings).toHaveLength(7);
  expect(verified?.reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThan(50_000);
  await place.backup();
  const path = join(folder, "proj.sqlite3");
  writeFileSync(path, await place.download());
  expect(differences(await contents(fileAt(path)), wanted)).toEqual([]);
  const restored = await cloudflare.durableObject().restore(place);
  expect(restored.verified?.reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThan(50_000);
}, 400_000);
