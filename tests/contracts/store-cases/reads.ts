import { bytes, readAll } from "./bytes.ts";
import { rejectsAs, rejectsNamed, same, sameBytes } from "./check.ts";
import type { Case } from "./index.ts";

/** More than one chunk of any driver. */
const SIZE = 1_200_007;

/** Offset, length, and what comes: from, up to. */
const RANGES: readonly [number | undefined, number | undefined, number, number][] = [
  [undefined, undefined, 0, SIZE],
  [0, undefined, 0, SIZE],
  [undefined, 1, 0, 1],
  [0, 0, 0, 0],
  [0, SIZE, 0, SIZE],
  [0, SIZE + 1, 0, SIZE],
  [1, SIZE, 1, SIZE],
  [1, 1, 1, 2],
  [262_143, 2, 262_143, 262_145],
  [524_288, 524_288, 524_288, 1_048_576],
  [100, 700_001, 100, 700_101],
  [SIZE - 1, undefined, SIZE - 1, SIZE],
  [SIZE - 1, 1, SIZE - 1, SIZE],
  [SIZE - 1, 2, SIZE - 1, SIZE],
  [SIZE, undefined, SIZE, SIZE],
  [SIZE, 0, SIZE, SIZE],
  [SIZE, 10, SIZE, SIZE],
  [SIZE + 1, undefined, SIZE, SIZE],
  [SIZE + 1, 1, SIZE, SIZE],
  [2 ** 53 - 1, 2 ** 53 - 1, SIZE, SIZE],
];

export const reads: Case[] = [
  [
    "any range of an object is read, and less where it ends",
    async (store) => {
      const object = bytes(SIZE);
      await store.put("a", object);
      for (const [offset, length, from, to] of RANGES) {
        const range = {
          ...(offset === undefined ? {} : { offset }),
          ...(length === undefined ? {} : { length }),
        };
        sameBytes(await readAll(await store.get("a", range)), object.slice(from, to), JSON.stringify(range));
      }
    },
  ],
  [
    "any range of an empty object is empty",
    async (store) => {
      await store.put("a", new Uint8Array());
      for (const range of [{}, { offset: 0, length: 0 }, { offset: 5 }, { length: 5 }]) {
        same((await readAll(await store.get("a", range))).length, 0, JSON.stringify(range));
      }
    },
  ],
  [
    "a range that is none is refused",
    async (store) => {
      await store.put("a", bytes(10));
      for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await rejectsNamed(store.get("a", { offset: bad }), "RangeError", `offset ${bad}`);
      }
      for (const bad of [-1, 0.5, Number.NaN]) {
        await rejectsNamed(store.get("a", { length: bad }), "RangeError", `length ${bad}`);
      }
    },
  ],
  [
    "what is not there is missing",
    async (store) => {
      await rejectsAs(store.get("a/b"), "OBJECT_MISSING", "get");
      await rejectsAs(store.get("a/b", { offset: 5, length: 0 }), "OBJECT_MISSING", "get a range");
      same(await store.head("a/b"), undefined, "head");
      same(await store.list(""), { objects: [] }, "list");
    },
  ],
  [
    "an object can be read by many at once",
    async (store) => {
      const object = bytes(SIZE);
      await store.put("a", object);
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => {
          sameBytes(
            await readAll(await store.get("a", { offset: i * 1000 })),
            object.slice(i * 1000),
            `reader ${i}`,
          );
        }),
      );
    },
  ],
  [
    "a chunk is the reader's: the next does not change it, and changing it does not reach the object",
    async (store) => {
      const object = bytes(SIZE);
      await store.put("a", object);
      sameBytes(await readAll(await store.get("a")), object, "kept chunks"); // joined only after the last was read
      const reader = (await store.get("a")).getReader();
      for (let read = await reader.read(); !read.done; read = await reader.read()) read.value.fill(0);
      sameBytes(await readAll(await store.get("a")), object, "after chunks were overwritten");
    },
  ],
  [
    "reading can be given up midway, or before it began",
    async (store) => {
      const object = bytes(SIZE);
      await store.put("a", object);
      for (const chunks of [0, 1, 2]) {
        const reader = (await store.get("a")).getReader();
        for (let i = 0; i < chunks; i++) await reader.read();
        await reader.cancel(new Error("enough"));
      }
      const reader = (await store.get("a")).getReader();
      const pending = reader.read();
      await reader.cancel(new Error("enough"));
      await pending;
      sameBytes(await readAll(await store.get("a")), object);
      await store.delete("a");
      same(await store.head("a"), undefined, "head");
    },
  ],
];
