import { join } from "node:path";
import {
  DamageError,
  file,
  folder,
  type Moment,
  memoryStore,
  type PageSource,
  pagemark,
  type Store,
} from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import type { RestorePlan } from "../../js/dist/catalog/folder.js";
import { PageProof } from "../../js/dist/stored/page-proof.js";
import { PreviousStates } from "../../js/dist/stored/page-states.js";
import { restoreStream } from "../../js/dist/stored/restore.js";
import { openStoredMoment } from "../../js/dist/stored/stored-moment.js";
import { allPages } from "../contracts/source-cases/image.ts";
import { moments } from "../contracts/source-cases/moments.ts";
import { pages as pagesOfSources } from "../contracts/source-cases/pages.ts";
import { bytes } from "../contracts/store-cases/bytes.ts";
import { SHAPES } from "../support/databases.ts";
import { runSql, tempFolder } from "../support/temp.ts";
import * as chains from "./chains.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const { FOLDER, PAGE_SIZE, copyOf, counting, pages, planOf, withPages } = chains;
const LITESTREAM = join(import.meta.dirname, "../fixtures/litestream-0.5.14");
/** The LTX file of the third backup: all that it stores, the fourth replaces. */
const REPLACED = `${FOLDER}/ltx/0/${"3".padStart(16, "0")}-${"3".padStart(16, "0")}.ltx`;

let image: Bytes;
let store: Store;

beforeAll(async () => {
  const first = chains.largeImage();
  const scattered = withPages(first, pages(50, 3000, 7), 1);
  const replaced = withPages(scattered, pages(2000, 2600), 2);
  const replacing = withPages(replaced, pages(1990, 2610), 3);
  image = withPages(replacing, pages(100, 3000, 40), 4);
  store = await chains.chainOf([first, scattered, replaced, replacing, image]);
}, 60_000);

describe("the pages of a stored backup", () => {
  test.each([1, 64, 256])("are those of the database in ascending order, %i at a time", async (step) => {
    const moment = await openStoredMoment(store, await planOf(store));
    expect([moment.pageSize, moment.pageCount]).toEqual([PAGE_SIZE, image.length / PAGE_SIZE]);
    expect(same(await allPages(moment, step), image)).toBe(true);
    await moment.release();
  });

  test("are those of the database in runs here and there, also many at once", async () => {
    const moment = await openStoredMoment(store, await planOf(store));
    const runs = pages(1, 100).map((at) => [1 + ((at * 7919) % 2700), 1 + ((at * 31) % 256)] as const);
    for (const run of runs) await expectRun(moment, run);
    await Promise.all(runs.map((run) => expectRun(moment, run)));
    await moment.release();
  });

  test.each(SHAPES)("are those of a database with $name, and prove right", async (shape) => {
    const path = join(tempFolder(), "shape.db");
    shape.make(path);
    const small = memoryStore();
    const db = pagemark(file(path), { name: FOLDER, store: small });
    await db.backup();
    for (const change of shape.changes) {
      runSql(path, change);
      await db.backup();
    }
    const plan = await planOf(small);
    await expectRestored(small, plan, await proofOf(small, plan));
    await expectRestored(await chains.ltxOnly(small), await planOf(await chains.ltxOnly(small)));
  });

  test("are those that Litestream stored, in either encoding of frames", async () => {
    const replica = folder(LITESTREAM);
    const plan = await planOf(replica);
    expect(plan.backup).toBeUndefined();
    await expectRestored(replica, plan);
  });

  test("are zeros where the lock page is, which no file holds", async () => {
    const pageSize = 65536;
    const eleven = bytes(11 * pageSize);
    const lone = memoryStore();
    const plan = await chains.planOfOneFile(lone, eleven, pageSize, { first: 16380, pageCount: 16390 });
    const moment = await openStoredMoment(lone, plan);
    const read = new Uint8Array(eleven.length).fill(1);
    await moment.read(16380, read);
    eleven.fill(0, 5 * pageSize, 6 * pageSize);
    expect(same(read, eleven)).toBe(true);
    await expect(moment.read(1, new Uint8Array(pageSize))).rejects.toMatchObject({
      code: "LTX_PAGE_MISSING",
    });
  });

  describe("do as those of a source", () => {
    for (const [title, makeImage, run] of [...pagesOfSources, ...moments]) {
      test(title, async () => run(await sourceOf(makeImage()), makeImage()));
    }
  });
});

describe("what a stored backup's pages cost", () => {
  test("at most three requests and hardly more than the bytes stored, and none for what is not needed", async () => {
    const plan = await planOf(store);
    const counted = counting(store);
    const moment = await openStoredMoment(counted.store, plan);
    const opening = counted.gets.splice(0);
    expect(opening.length).toBeLessThanOrEqual(2 * plan.files.length);
    await allPages(moment, 64);
    const megabytes = plan.files.reduce((sum, { size }) => sum + size, 0) / 1e6;
    const requests = opening.length + counted.gets.length;
    expect(requests / megabytes).toBeLessThanOrEqual(3);
    const read = counted.gets.reduce((sum, { length }) => sum + length, 0);
    expect(read).toBeLessThanOrEqual(megabytes * 1e6);
    const needed = plan.files.map(({ key }) => key).filter((key) => key !== REPLACED);
    expect(new Set(counted.gets.map(({ key }) => key))).toEqual(new Set(needed));
    expect(opening.filter(({ key }) => !key.endsWith(".ltx"))).toEqual([]);
    for (const { length } of counted.gets) expect(length).toBeLessThanOrEqual(1 << 20);
  });

  test("replaced pages are passed over where there are many", async () => {
    const full = (await planOf(store)).files[0];
    const counted = counting(store);
    const moment = await openStoredMoment(counted.store, await planOf(store));
    await allPages(moment, 64);
    const ofFull = counted.gets.filter(({ key }) => key === full?.key);
    const read = ofFull.reduce((sum, { length }) => sum + length, 0);
    // 621 frames, of which none is much shorter than the row in it.
    const replaced = 621 * 3600;
    expect(read).toBeLessThan((full?.size ?? 0) - replaced + (2 << 16));
  });

  test("a few pages here and there are not read ahead of, and cost nothing when they are asked for again", async () => {
    const counted = counting(store);
    const moment = await openStoredMoment(counted.store, await planOf(store));
    counted.gets.splice(0);
    const scattered = [2900, 20, 1500, 700, 2200];
    const readThem = async () => {
      for (const pgno of scattered) await expectRun(moment, [pgno, 1]);
    };
    await readThem();
    expect(counted.gets.length).toBe(scattered.length);
    // After two of one MiB, more are expected from there.
    const ofEach = Map.groupBy(counted.gets, ({ key }) => key);
    for (const gets of ofEach.values()) {
      for (const { length } of gets.slice(0, 2)) expect(length).toBeLessThanOrEqual(2 * PAGE_SIZE);
    }
    await readThem();
    expect(counted.gets.length).toBe(scattered.length);
    // As a dump does, which goes back to inner pages while it reads leaves onwards.
    for (const first of pages(800, 1400, 50)) {
      await expectRun(moment, [first, 50]);
      await readThem();
    }
    expect(counted.gets.length).toBeLessThanOrEqual(scattered.length + 25);
  });
});

describe("damage and stops", () => {
  test("a page that no file holds is named", async () => {
    const { files, ...plan } = await planOf(store);
    const moment = await openStoredMoment(store, { ...plan, files: files.slice(1) });
    const read = moment.read(3, new Uint8Array(PAGE_SIZE));
    await expect(read).rejects.toMatchObject({ code: "LTX_PAGE_MISSING", at: { page: 3 } });
    await expect(read).rejects.toBeInstanceOf(DamageError);
  });

  test("a damaged frame is named by its page and object", async () => {
    const plan = await planOf(store);
    const key = plan.files[0]?.key ?? "";
    // The first frame's flags.
    const damaged = await copyOf(store, (name, whole) => (name === key ? flipped(whole, 104) : whole));
    const moment = await openStoredMoment(damaged, plan);
    const read = moment.read(1, new Uint8Array(2 * PAGE_SIZE));
    await expect(read).rejects.toBeInstanceOf(DamageError);
    await expect(read).rejects.toMatchObject({ code: "LTX_FRAME", at: { name: key, page: 1 } });
  });

  test("damage that no frame shows is found by the proof, and named", async () => {
    const plan = await planOf(store);
    for (const [number, { key, size }] of plan.files.entries()) {
      if (key === REPLACED) continue;
      // Incompressible bytes stand in a frame as they are.
      const damaged = await copyOf(store, (name, whole) =>
        name === key ? flipped(whole, size - 40_000) : whole,
      );
      expect(same(await allOf(damaged, plan), image), `file ${number}`).toBe(false);
      const proved = allOf(damaged, plan, await proofOf(store, plan));
      await expect(proved).rejects.toBeInstanceOf(DamageError);
      await expect(proved).rejects.toMatchObject({ code: "OBJECT_DAMAGED", at: { name: key } });
    }
  });

  test("a damaged index, a cut object and one that is no LTX file are named", async () => {
    const plan = await planOf(store);
    const key = plan.files[1]?.key ?? "";
    for (const [code, damage] of [
      ["LTX_INDEX", (whole: Bytes) => flipped(whole, whole.length - 30)],
      ["LTX_INDEX", (whole: Bytes) => flipped(whole, whole.length - 24)],
      ["OBJECT_DAMAGED", (whole: Bytes) => whole.slice(0, -1)],
    ] as const) {
      const damaged = await copyOf(store, (name, whole) => (name === key ? damage(whole) : whole));
      await expect(openStoredMoment(damaged, plan)).rejects.toMatchObject({ code, at: { name: key } });
    }
    const lone = await chains.ltxOnly(store);
    const other = await planOf(lone);
    const newest = other.files.at(-1)?.key;
    for (const [code, at] of [
      ["LTX_MAGIC", 0],
      ["LTX_HEADER", 10],
    ] as const) {
      const damaged = await copyOf(lone, (name, whole) => (name === newest ? flipped(whole, at) : whole));
      await expect(openStoredMoment(damaged, other)).rejects.toMatchObject({ code, at: { name: newest } });
    }
  });

  test("a page count that only a damaged header gives takes no memory", async () => {
    const lone = await chains.ltxOnly(store);
    const plan = await planOf(lone);
    const newest = plan.files.at(-1)?.key;
    const damaged = await copyOf(lone, (name, whole) => (name === newest ? flipped(whole, 12) : whole));
    const moment = await openStoredMoment(damaged, plan);
    expect(moment.pageCount).toBeGreaterThan(4_000_000_000);
    const read = moment.read(moment.pageCount, new Uint8Array(PAGE_SIZE));
    await expect(read).rejects.toMatchObject({ code: "LTX_PAGE_MISSING" });
  });

  test("an abort ends the opening and the reading, with its reason, also while the store is waited for", async () => {
    const plan = await planOf(store);
    const reason = new Error("the user pressed stop");
    const aborted = AbortSignal.abort(reason);
    await expect(openStoredMoment(store, plan, { signal: aborted })).rejects.toBe(reason);
    const stop = new AbortController();
    let slow = false;
    const { store: waiting } = counting(store, async (signal) => {
      if (!slow) return;
      setTimeout(() => stop.abort(reason), 10);
      await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    });
    const moment = await openStoredMoment(waiting, plan);
    slow = true;
    await expect(moment.read(1, new Uint8Array(PAGE_SIZE), stop.signal)).rejects.toBe(reason);
    slow = false;
    await expectRun(moment, [1, 20]);
    await moment.release();
  });
});

async function allOf(from: Store, plan: RestorePlan, proof?: PageProof): Promise<Uint8Array> {
  const moment = await openStoredMoment(from, plan, { proof });
  try {
    return await allPages(moment, 100);
  } finally {
    await moment.release();
  }
}

async function expectRun(moment: Moment, [first, count]: readonly [number, number]): Promise<void> {
  const run = new Uint8Array(count * PAGE_SIZE);
  await moment.read(first, run);
  expect(same(run, image.subarray((first - 1) * PAGE_SIZE, (first - 1 + count) * PAGE_SIZE))).toBe(true);
}

async function expectRestored(from: Store, plan: RestorePlan, proof?: PageProof): Promise<void> {
  const restored = await new Response(restoreStream(from, plan)).arrayBuffer();
  expect(same(await allOf(from, plan, proof), new Uint8Array(restored))).toBe(true);
}

/** The fingerprints of the newest backup. */
async function proofOf(from: Store, { backup }: RestorePlan): Promise<PageProof> {
  if (!backup) throw new Error("only a backup with a record has fingerprints");
  const states = await PreviousStates.open(from, backup);
  try {
    return await PageProof.load(states, backup.view.pageSize);
  } finally {
    await states.close();
  }
}

/** A source whose moments are all of one LTX file with the pages of `database`. */
async function sourceOf(database: Bytes): Promise<PageSource> {
  const lone = memoryStore();
  const pageSize = new DataView(database.buffer).getUint16(16);
  const plan = await chains.planOfOneFile(lone, database, pageSize === 1 ? 65536 : pageSize);
  return { name: "stored", pin: (options) => openStoredMoment(lone, plan, options) };
}

function flipped(whole: Bytes, at: number): Bytes {
  const changed = whole.slice();
  changed[at] = (changed[at] as number) ^ 0xff;
  return changed;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
