// A few pages of a stored backup: what is read for them, and what proves them.
import { DamageError, type Moment, memory, pagemark, type Store } from "pagemark";
import { beforeAll, expect, test } from "vitest";
import { planRestore } from "../../js/dist/catalog/folder.js";
import { openProvedMoment } from "../../js/dist/stored/proved-moment.js";
import * as chains from "./chains.ts";

const { FOLDER, PAGE_SIZE, chainOf, copyOf, counting, pages, planOf, withPages } = chains;
const FIRST = "0000000000000001";

let image: Uint8Array<ArrayBuffer>;
let store: Store;

beforeAll(async () => {
  const first = chains.largeImage();
  const second = withPages(first, pages(50, 3000, 7), 1);
  image = withPages(second, pages(100, 400), 2);
  store = await chainOf([first, second, image]);
}, 60_000);

test("E9 pages here and there are read by a few kilobytes each, whatever the backup's size", async () => {
  const counted = counting(store);
  const moment = await openProvedMoment(counted.store, await planOf(store), { reach: "few" });
  for (const pgno of [1, 2, 57, 399, 2999]) await expectPages(moment, pgno, 1);
  const read = counted.gets.reduce((sum, { length }) => sum + length, 0);
  expect(read).toBeLessThan(110_000);
  await expectPages(moment, 57, 1);
  expect(counted.gets.reduce((sum, { length }) => sum + length, 0)).toBe(read);
  await moment.release();
});

test.each(["some", "few"] as const)(
  "E9 all pages come back, %s of them foreseen, in order and at once",
  async (reach) => {
    const moment = await openProvedMoment(store, await planOf(store), { reach });
    const count = image.length / PAGE_SIZE;
    for (const first of pages(1, count, 256))
      await expectPages(moment, first, Math.min(256, count - first + 1));
    await Promise.all(pages(1, count - 8, 97).map((first) => expectPages(moment, first, 5)));
    await moment.release();
  },
);

test("E9 damaged fingerprints cost reading all, and a damaged page is named", async () => {
  const isNewestRuns = (key: string) => key.endsWith(".pages") && key.includes("3-");
  for (const at of [30, -8]) {
    const damaged = await flipped((key) => isNewestRuns(key), at);
    const moment = await openProvedMoment(damaged, await planOf(damaged), { reach: "few" });
    for (const pgno of [1, 57, 399]) await expectPages(moment, pgno, 1);
    await moment.release();
  }
  const damaged = await flipped((key) => key.includes("/ltx/9/"), 2000);
  const moment = await openProvedMoment(damaged, await planOf(damaged), { reach: "few" });
  await expect(moment.read(2, new Uint8Array(PAGE_SIZE))).rejects.toMatchObject({
    at: { name: expect.stringContaining("/ltx/9/") },
  });
  await moment.release();
});

test("E9 a page index that leads elsewhere is damage", async () => {
  const { files } = await planOf(store);
  // The last entry of the full backup's index, whose length it makes larger.
  const damaged = await flipped((key) => key === files[0]?.key, -26);
  const moment = await openProvedMoment(damaged, await planOf(damaged), { reach: "few" });
  const last = image.length / PAGE_SIZE;
  await expect(moment.read(last, new Uint8Array(PAGE_SIZE))).rejects.toBeInstanceOf(DamageError);
  await moment.release();
});

test("two states are told apart by what differs, also where a full backup lies between them", async () => {
  const full = await copyOf(store, (_, bytes) => bytes);
  const db = pagemark(memory(image), { name: FOLDER, store: full });
  await db.backup({ full: true });
  const counted = counting(full);
  const plans = await Promise.all([FIRST, "latest"].map((at) => planRestore(full, FOLDER, at)));
  expect(plans.every(({ files }) => files.every(({ directory }) => directory))).toBe(true);
  const { tables } = await pagemark(memory(image), { name: FOLDER, store: counted.store }).diff(
    FIRST,
    "latest",
  );
  expect(tables).toMatchObject([{ name: "a", change: "changed" }]);
});

async function expectPages(moment: Moment, first: number, count: number): Promise<void> {
  const read = new Uint8Array(count * PAGE_SIZE);
  await moment.read(first, read);
  const wanted = image.subarray((first - 1) * PAGE_SIZE, (first - 1 + count) * PAGE_SIZE);
  expect(Buffer.compare(read, wanted), `page ${first}`).toBe(0);
}

/** The store with a byte changed in the objects that `isMeant`; from the end where `at` is negative. */
function flipped(isMeant: (key: string) => boolean, at: number): Promise<Store> {
  return copyOf(store, (key, bytes) => {
    const changed = bytes.slice();
    const place = at < 0 ? bytes.length + at : at;
    if (isMeant(key)) changed[place] = (changed[place] ?? 0) ^ 1;
    return changed;
  });
}
