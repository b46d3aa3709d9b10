import { bytes, listed, pages, putAll, sorted } from "./bytes.ts";
import { ok, rejectsNamed, same } from "./check.ts";
import type { Case, Traits } from "./index.ts";

/** In the order of their bytes: `-` and `.` come before `/`, `0` after, capitals before `_`, and `_` before `a`. */
const ORDERED = [
  "%41",
  "-",
  "0",
  "A",
  "Z/z",
  "_",
  "a%2Fb",
  "a-b",
  "a-b.c/d",
  "a.b",
  "a.b-c",
  "a/b-c",
  "a/b.c",
  "a/b/c",
  "a/b/d",
  "a/b0",
  "a0",
  "a0-x",
  "aa",
  "b/-",
  "b/0/1",
  "b/00",
];

const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => `db${i % 5}/ltx/${String(i).padStart(6, "0")}`);

export function lists({ isSlow }: Traits): Case[] {
  return isSlow ? few : [...many, ...few];
}

const many: Case[] = [
  [
    "a list of 2,500 objects comes in pages of 1,000 at most, in order, without a gap or a repeat",
    async (store) => {
      const keys = sorted(numbered(2500));
      await putAll(store, keys.toReversed());
      for (const options of [{}, { limit: 1000 }, { limit: 5000 }]) {
        const found = await pages(store, "", options);
        same(
          found.map((page) => page.length),
          [1000, 1000, 500],
          `pages with ${JSON.stringify(options)}`,
        );
        same(
          found.flat().map(({ key }) => key),
          keys,
          "keys",
        );
      }
      const [page = []] = await pages(store, "db3/ltx/000003");
      same(
        page.map(({ key }) => [key]),
        [["db3/ltx/000003"]],
        "one object",
      );

      const some = keys.filter((key) => key.startsWith("db1/ltx/0001"));
      for (const limit of [1, 7, some.length - 1]) {
        same(await listed(store, "db1/ltx/0001", { limit }), some, `pages of ${limit}`);
      }
      same((await pages(store, "db1/ltx/0001", { limit: 7 }))[0]?.length, 7, "first page of 7");
      const exact = await store.list("db1/ltx/0001", { limit: some.length });
      same([exact.objects.length, exact.cursor], [some.length, undefined], "a page that just fits");
    },
  ],
];

const few: Case[] = [
  [
    "a list is in the order of the keys' bytes, whatever the pages",
    async (store) => {
      await putAll(store, [...ORDERED].reverse());
      for (const limit of [1, 2, 3, 7, 1000])
        same(await listed(store, "", { limit }), ORDERED, `pages of ${limit}`);
    },
  ],
  [
    "a prefix is any text, not only whole segments",
    async (store) => {
      await putAll(store, ORDERED);
      for (const prefix of [
        "a",
        "a/",
        "a/b",
        "a/b/",
        "a/b/c",
        "a/b/c/",
        "a-",
        "a.b",
        "b/0",
        "Z",
        "b//",
        "/",
        "%",
      ]) {
        const expected = ORDERED.filter((key) => key.startsWith(prefix));
        for (const limit of [1, 1000])
          same(await listed(store, prefix, { limit }), expected, `prefix ${prefix}`);
      }
    },
  ],
  [
    "F8 a prefix that begins no key finds nothing",
    async (store) => {
      await putAll(store, ["a/b", "c"]);
      for (const prefix of [
        "..",
        "../",
        "../../",
        "./a",
        "/a",
        "a//",
        "a/../",
        "\0",
        "a\\",
        "é",
        ".pagemark/",
        "x".repeat(5000),
      ]) {
        same(await store.list(prefix), { objects: [] }, `prefix ${JSON.stringify(prefix.slice(0, 20))}`);
      }
    },
  ],
  [
    "objects put and deleted between pages come up after the cursor only, and the others once",
    async (store) => {
      await putAll(store, ["b", "d/1", "d/2", "f"]);
      const first = await store.list("", { limit: 2 });
      same(
        first.objects.map(({ key }) => key),
        ["b", "d/1"],
        "first page",
      );
      await putAll(store, ["a", "c", "d/11", "e", "g"]);
      await store.delete("d/1");
      await store.delete("f");
      ok(first.cursor !== undefined, "no cursor");
      same(
        await listed(store, "", { cursor: first.cursor, limit: 2 }),
        ["d/11", "d/2", "e", "g"],
        "the rest",
      );
    },
  ],
  [
    "a page says of each object what head says",
    async (store) => {
      await store.put("a", bytes(3), { modified: new Date(1_700_000_000_123) });
      await store.put("b/c", bytes(0));
      for (const object of (await store.list("")).objects)
        same(object, await store.head(object.key), object.key);
    },
  ],
  [
    "a limit that is none is refused",
    async (store) => {
      for (const limit of [0, -1, 1.5, Number.NaN]) {
        await rejectsNamed(store.list("", { limit }), "RangeError", `limit ${limit}`);
      }
    },
  ],
];
