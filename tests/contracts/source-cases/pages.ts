import { ok, same, sameBytes } from "../store-cases/check.ts";
import { allPages, imageOf, PAGE_SIZES } from "./image.ts";
import type { Case } from "./index.ts";

export const pages: Case[] = [
  ...PAGE_SIZES.map(
    (pageSize): Case => [
      `pages of ${pageSize} bytes are those of the database`,
      () => imageOf(pageSize, 37),
      async (source, image) => {
        for (const step of [1, 5, 37]) {
          const moment = await source.pin();
          same([moment.pageSize, moment.pageCount], [pageSize, 37]);
          ok(["start", "end"].includes(moment.taken), "it says when the moment was taken");
          sameBytes(await allPages(moment, step), image, `${step} pages at a time`);
          await moment.release();
        }
      },
    ],
  ),
  [
    "a database of one page has one page",
    () => imageOf(4096, 1),
    async (source, image) => {
      const moment = await source.pin();
      same(moment.pageCount, 1);
      sameBytes(await allPages(moment), image);
      await moment.release();
    },
  ],
  [
    "pages are read in any order, again, and into the middle of a buffer",
    () => imageOf(1024, 50),
    async (source, image) => {
      const moment = await source.pin();
      for (const [first, count] of [
        [50, 1],
        [49, 2],
        [1, 1],
        [17, 9],
        [17, 9],
        [2, 48],
      ] as const) {
        const buffer = new Uint8Array(count * 1024 + 200).fill(0xee);
        await moment.read(first, buffer.subarray(100, buffer.length - 100));
        const expected = new Uint8Array(buffer.length).fill(0xee);
        expected.set(image.subarray((first - 1) * 1024, (first - 1 + count) * 1024), 100);
        sameBytes(buffer, expected, `${count} pages from ${first}`);
      }
      await moment.release();
    },
  ],
  [
    "pages are read into memory that threads share",
    () => imageOf(4096, 20),
    async (source, image) => {
      if (typeof SharedArrayBuffer === "undefined") return;
      const moment = await source.pin();
      const shared = new Uint8Array(new SharedArrayBuffer(20 * 4096));
      await moment.read(1, shared);
      sameBytes(shared, image);
      await moment.release();
    },
  ],
  [
    "many reads may be under way at once",
    () => imageOf(512, 300),
    async (source, image) => {
      const moment = await source.pin();
      const whole = new Uint8Array(image.length);
      const reads = Array.from({ length: 100 }, (_, i) =>
        moment.read(3 * i + 1, whole.subarray(3 * i * 512, (3 * i + 3) * 512)),
      );
      await Promise.all(reads);
      sameBytes(whole, image);
      await moment.release();
    },
  ],
];
