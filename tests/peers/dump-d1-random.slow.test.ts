// SQL for D1 of random databases, in a real local D1, a real Durable Object and the sqlite3 shell.
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp.ts";
import { Cloudflare } from "./d1/cloudflare.ts";
import { expectContents, imported } from "./d1/golden.ts";
import { contents, fileAt } from "./d1/place.ts";
import { makeRandom } from "./d1/random-database.ts";

const SEEDS = Array.from({ length: Number(process.env.SEEDS ?? 20) }, (_, index) => index + 1);

const folder = tempFolder();
const cloudflare = new Cloudflare();

test.for(SEEDS)("B24 the random database of seed %d", async (seed) => {
  const path = join(folder, `random${seed}.db`);
  const { empty } = makeRandom(path, seed);
  const result = await imported(cloudflare, path);
  const expected = await contents(fileAt(path));
  // They keep no texts, and say so.
  for (const name of empty) expected[`rows of ${name}`] = [];
  expect(Object.keys(expected).length).toBeGreaterThan(1);
  await expectContents(result, expected);
});
