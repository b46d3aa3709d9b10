// A restore of more than a few megabytes decodes on a thread of its own: it gives the same, and the same errors.
import { folder, memory, pagemark, type Store } from "pagemark";
import { beforeAll, describe, expect, test } from "vitest";
import { copyOf, objectsOf, storeOf } from "../faults/prove.ts";
import { bytesOf, equal } from "../faults/states.ts";
import { tempFolder } from "../support/temp.ts";
import { chainOf, FOLDER, largeImage, PAGE_SIZE, pages, withPages } from "./chains.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const LTX = `${FOLDER}/ltx/9/0000000000000001-0000000000000001.ltx`;
let image: Bytes;
let stored: Store;

beforeAll(async () => {
  image = largeImage();
  stored = await chainOf([image]);
});

const download = async (store: Store, signal?: AbortSignal) =>
  pagemark(memory(new Uint8Array()), { name: FOLDER, store }).download(undefined, signal && { signal });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "",
    ({ code }) => code,
  );

/** What Litestream would have written: no record proves it, so the core must. */
async function replica(change: (ltx: Bytes) => Bytes): Promise<Store> {
  const objects = await objectsOf(stored);
  return storeOf(new Map([[LTX, change(objects.get(LTX) as Bytes)]]));
}

describe("B1 a large database is restored", () => {
  test("from a store that gives its own memory, which stays as it is", async () => {
    for (let time = 0; time < 2; time++) {
      expect(equal(await bytesOf(await download(stored)), image)).toBe(true);
    }
    const { problems } = await pagemark(memory(image), { name: FOLDER, store: stored }).verify();
    expect(problems).toEqual([]);
  });

  test("from a folder, and from many files", async () => {
    const store = folder(tempFolder());
    let last = image;
    for (let seed = 0; seed < 12; seed++) {
      if (seed > 0) last = withPages(last, pages(2 + seed, image.length / PAGE_SIZE, 40), seed);
      await pagemark(memory(last), { name: FOLDER, store }).backup();
    }
    expect(equal(await bytesOf(await download(store)), last)).toBe(true);
  });

  test("from pages that compress to nothing, by a reader that takes its time", async () => {
    const zeros = new Uint8Array(64 << 20);
    const full = image.slice(0, PAGE_SIZE);
    new DataView(full.buffer).setUint32(28, zeros.length / PAGE_SIZE);
    zeros.set(full);
    const noise = withPages(zeros, pages(5, 3000), 1);
    const store = await chainOf([noise]);
    const reader = (await download(store)).getReader();
    await new Promise((resolve) => setTimeout(resolve, 300));
    let at = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      expect(equal(next.value, noise.subarray(at, at + next.value.length))).toBe(true);
      at += next.value.length;
    }
    expect(at).toBe(noise.length);
  });
});

describe("F2 damage in a large file is told as in a small one", () => {
  test.each([
    ["a page", 5 << 20, "LTX_CHECKSUM"],
    ["the first page", 120, "LTX_CHECKSUM"],
    ["a page's number", 100 + 3, "LTX_PAGE_MISSING"],
    ["a frame's flags", 100 + 5, "LTX_FRAME"],
    ["the magic", 0, "LTX_MAGIC"],
  ])("%s", async (_what, at, code) => {
    const store = await replica((ltx) => {
      const damaged = ltx.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 2;
      return damaged;
    });
    const found = await codeOf(download(store).then(bytesOf));
    expect([code, "LTX_COMPRESSION"]).toContain(found);
  });

  test("an end too early, and bytes behind the end", async () => {
    const cut = await replica((ltx) => ltx.slice(0, -1));
    expect(await codeOf(download(cut).then(bytesOf))).toBe("LTX_TRUNCATED");
    for (const more of [1, 3 << 20]) {
      const long = await replica((ltx) => new Uint8Array(Buffer.concat([ltx, Buffer.alloc(more)])));
      expect(await codeOf(download(long).then(bytesOf))).toBe("LTX_TRAILING");
    }
  });

  test("one that its record does not name", async () => {
    const objects = await objectsOf(await copyOf(stored));
    const damaged = (objects.get(LTX) as Bytes).slice();
    damaged[damaged.length - 20] = (damaged.at(-20) ?? 0) ^ 1;
    const store = await storeOf(new Map([...objects, [LTX, damaged]]));
    expect(await codeOf(download(store).then(bytesOf))).toMatch(/OBJECT_DAMAGED|LTX_/);
  });
});

test("F12 a restore that is canceled, or left, ends its thread", async () => {
  const enough = new Error("enough");
  const stop = new AbortController();
  const body = await download(stored, stop.signal);
  const reader = body.getReader();
  await reader.read();
  stop.abort(enough);
  await expect(reader.read().then(() => reader.read())).rejects.toBe(enough);
  await (await download(stored)).cancel();
  expect(process.getActiveResourcesInfo().filter((name) => name === "Worker")).toEqual([]);
});
