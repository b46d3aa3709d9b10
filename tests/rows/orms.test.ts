// Projects whose schema an ORM migrates back their D1 database, or their Durable Object, up and restore it.
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";
import { modulesOf } from "../support/worker-modules.ts";

let miniflare: Miniflare;
beforeAll(async () => {
  const clients = join(import.meta.dirname, "../../.cache/clients/node_modules");
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: await modulesOf(join(import.meta.dirname, "orm-worker.mjs"), [clients]),
      compatibilityDate: "2026-10-01",
      compatibilityFlags: ["nodejs_compat"],
      d1Databases: ["kysely", "prisma"],
      durableObjects: { NOTES: { className: "Notes", useSQLite: true } },
      r2Buckets: ["BACKUPS"],
    }),
  );
  await miniflare.ready;
}, 60_000);
afterAll(() => miniflare?.dispose());

test.each([
  [
    "kysely",
    [
      ["kysely_migration", 2],
      ["person", 2],
      ["pet", 1],
    ],
  ],
  [
    "prisma",
    [
      ["User", 2],
      ["_prisma_migrations", 1],
    ],
  ],
  [
    "drizzle",
    [
      ["__drizzle_migrations", 2],
      ["notes", 2],
    ],
  ],
])(
  "%s migrates, and finds all of it again after a backup and a restore",
  { timeout: 60_000 },
  async (orm, tables) => {
    const answer = await miniflare.dispatchFetch(`http://worker/${orm}`);
    const text = await answer.text();
    expect(answer.status, text).toBe(200);
    const { before, kind, spoiled, verified, after } = JSON.parse(text);
    expect(before[0]).toHaveLength(2);
    expect(kind).toBe("full");
    expect(spoiled).toEqual([]);
    expect(after).toEqual(before);
    expect(verified.sort()).toEqual(tables);
  },
);
