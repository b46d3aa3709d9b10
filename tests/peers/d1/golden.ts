// A database that goes to all places that SQL for D1 is meant for, and is the same there.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { DumpOptions } from "pagemark";
import { expect } from "vitest";
import type { Cloudflare, D1, ExportOptions } from "./cloudflare.ts";
import { d1Dump } from "./dump.ts";
import { type Contents, contents, differences, fileAt, type Place } from "./place.ts";

let made = 0;

/** A database file of this SQL, which may bring rows before what their foreign keys refer to. */
export function databaseOf(folder: string, sql: string): string {
  const path = join(folder, `${made++}.db`);
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  try {
    db.exec(`PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; ${sql}`);
  } finally {
    db.close();
  }
  return path;
}

export interface Imported {
  d1: D1;
  object: Place;
  /** What the sqlite3 shell makes of the same SQL. */
  shell: Place;
  warnings: string[];
}

/** Imports a file everywhere, into new databases: one dump after the other, if there are several. */
export async function imported(
  cloudflare: Cloudflare,
  path: string,
  ...dumps: DumpOptions[]
): Promise<Imported> {
  const [d1, object] = [cloudflare.d1(), cloudflare.durableObject()];
  const loaded = `${path}.loaded${made++}`;
  const allWarnings: string[] = [];
  for (const options of dumps.length === 0 ? [{}] : dumps) {
    const { sql, statements, warnings } = await d1Dump(path, options);
    allWarnings.push(...warnings);
    await d1.run(statements);
    await object.run(statements);
    const shell = spawnSync("sqlite3", ["-bail", loaded], { input: `PRAGMA synchronous = OFF;\n${sql}` });
    expect(String(shell.stderr)).toBe("");
  }
  for (const place of [d1, object]) {
    expect(await place.rows("PRAGMA quick_check"), place.name).toEqual([["ok"]]);
    expect(await place.rows("PRAGMA foreign_key_check"), place.name).toEqual([]);
  }
  return { d1, object, shell: fileAt(loaded), warnings: allWarnings };
}

/** All three are the same to the last bit: they hold what `expected` says. */
export async function expectContents({ d1, object, shell }: Imported, expected: Contents): Promise<void> {
  for (const place of [d1, object, shell]) {
    expect(differences(await contents(place), expected), place.name).toEqual([]);
  }
}

/** A database of this SQL goes everywhere, and is the same there. */
export async function golden(cloudflare: Cloudflare, folder: string, sql: string): Promise<Imported> {
  const path = databaseOf(folder, sql);
  const result = await imported(cloudflare, path);
  const expected = await contents(fileAt(path));
  expect(Object.keys(expected).length).toBeGreaterThan(0);
  await expectContents(result, expected);
  return result;
}

/** What D1's own export makes of what is in `d1`: a new D1 that took it. */
export async function throughTheirs(cloudflare: Cloudflare, d1: D1, options?: ExportOptions): Promise<D1> {
  const again = cloudflare.d1();
  await again.run(await d1.export(options));
  return again;
}
