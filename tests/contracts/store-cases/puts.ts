import { bodyOf, bytes, cut, listed, readAll } from "./bytes.ts";
import { codeOf, ok, rejectsAs, rejectsNamed, rejectsWith, same, sameBytes } from "./check.ts";
import type { Case, Traits } from "./index.ts";

const MiB = 1024 * 1024;

export function puts(traits: Traits): Case[] {
  return [
    ...whole,
    ...once,
    ...failing,
    refused,
    ...deletes,
    ...(traits.tellsFolders ? [folders] : []),
    traits.keepsModified ? keepsModified : hasModified,
  ];
}

const whole: Case[] = [
  [
    "an object that was put is read, described and listed",
    async (store) => {
      await store.put("db/ltx/0/a.ltx", bytes(1000));
      sameBytes(await readAll(await store.get("db/ltx/0/a.ltx")), bytes(1000));
      const head = await store.head("db/ltx/0/a.ltx");
      same([head?.key, head?.size], ["db/ltx/0/a.ltx", 1000], "head");
      same((await store.list("")).objects, [head], "list");
    },
  ],
  [
    "an object put as a stream of odd chunks is whole (5 MiB)",
    async (store) => {
      const object = bytes(5 * MiB + 3);
      const sizes = [1, 3, 65_537, 1, 262_145, 1_048_577, 4096];
      await store.put("big", bodyOf([new Uint8Array(), ...cut(object, sizes), new Uint8Array()]).stream);
      sameBytes(await readAll(await store.get("big")), object);
      same((await store.head("big"))?.size, object.length, "size");
    },
  ],
  [
    "F9 an object may be empty",
    async (store) => {
      await store.put("array", new Uint8Array());
      await store.put("stream", bodyOf([]).stream);
      await store.put("chunks", bodyOf([new Uint8Array(), new Uint8Array()]).stream);
      for (const key of ["array", "stream", "chunks"]) {
        same((await store.head(key))?.size, 0, key);
        same((await readAll(await store.get(key))).length, 0, key);
      }
      same(await listed(store), ["array", "chunks", "stream"], "list");
    },
  ],
  [
    "a view of a larger buffer is put, not the buffer",
    async (store) => {
      const buffer = bytes(300);
      await store.put("array", buffer.subarray(100, 200));
      await store.put("stream", bodyOf([buffer.subarray(0, 100), buffer.subarray(200)]).stream);
      sameBytes(await readAll(await store.get("array")), buffer.slice(100, 200));
      sameBytes((await readAll(await store.get("stream"))).subarray(100), buffer.slice(200));
    },
  ],
  [
    "chunks that the store owns are stored like others, also when they share a buffer",
    async (store) => {
      const object = bytes(2 * MiB);
      await store.put("apart", bodyOf(cut(object, [300_000])).stream, { ownsChunks: true });
      const shared = object.slice();
      const views = [shared.subarray(0, MiB), shared.subarray(MiB)];
      await store.put("together", bodyOf(views).stream, { ownsChunks: true });
      for (const key of ["apart", "together"]) sameBytes(await readAll(await store.get(key)), object, key);
    },
  ],
  [
    "what happens to the bytes after a put does not reach the object",
    async (store) => {
      const mine = bytes(1000);
      await store.put("a", mine);
      mine.fill(0);
      sameBytes(await readAll(await store.get("a")), bytes(1000));
    },
  ],
  [
    "an object is not there before all of it is",
    async (store) => {
      let finish = () => {};
      const body = bodyOf([bytes(1 * MiB)], (controller) => {
        return new Promise((resolve) => {
          finish = () => resolve(controller.close());
          reached();
        });
      });
      let reached = () => {};
      const waiting = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const put = store.put("db/a", body.stream);
      await waiting;
      same(await store.head("db/a"), undefined, "head");
      same((await store.list("")).objects, [], "list");
      await rejectsAs(store.get("db/a"), "OBJECT_MISSING", "get");
      finish();
      await put;
      same((await store.head("db/a"))?.size, MiB, "size");
    },
  ],
];

const once: Case[] = [
  [
    "an object is never overwritten",
    async (store) => {
      await store.put("a", bytes(100, 1));
      await rejectsAs(store.put("a", bytes(200, 2)), "OBJECT_EXISTS", "array");
      const body = bodyOf([bytes(200, 2)]);
      await rejectsAs(store.put("a", body.stream), "OBJECT_EXISTS", "stream");
      sameBytes(await readAll(await store.get("a")), bytes(100, 1));
      same(await listed(store), ["a"], "list");
    },
  ],
  [
    "F6 of many puts of one key at once exactly one wins, and the object is the winner's",
    async (store) => {
      const sizes = [0, 1, 1000, 300_000];
      const bodies = Array.from({ length: 32 }, (_, i) => bytes(sizes[i % 4] ?? 0, i + 1));
      const results = await Promise.allSettled(
        bodies.map((body, i) => {
          return store.put("db/race", i % 2 ? body : bodyOf(cut(body, [100_000])).stream);
        }),
      );
      const winners = results.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
      same(winners.length, 1, "winners");
      for (const result of results) {
        if (result.status === "rejected") same(codeOf(result.reason), "OBJECT_EXISTS", String(result.reason));
      }
      sameBytes(await readAll(await store.get("db/race")), bodies[winners[0] ?? -1] ?? bytes(1));
      same(await listed(store), ["db/race"], "list");
    },
  ],
  [
    "many puts of different keys at once are all done",
    async (store) => {
      const objects = Array.from({ length: 40 }, (_, i) => bytes(50_000 + i, i));
      await Promise.all(
        objects.map((object, i) => store.put(`f${i % 5}/o${i}`, bodyOf(cut(object, [7001])).stream)),
      );
      for (const [i, object] of objects.entries()) {
        sameBytes(await readAll(await store.get(`f${i % 5}/o${i}`)), object, `object ${i}`);
      }
    },
  ],
];

const failing: Case[] = [
  [
    "F1 a body that fails leaves nothing, its error is thrown, and the key can be put again",
    async (store) => {
      for (const chunks of [[], [bytes(10)], cut(bytes(3 * MiB), [262_144])]) {
        const error = new Error("the database went away");
        const body = bodyOf(chunks, (controller) => controller.error(error));
        await rejectsWith(store.put("db/a", body.stream), error, `after ${chunks.length} chunks`);
        same(await store.head("db/a"), undefined, "head");
        same(await listed(store), [], "list");
        await rejectsAs(store.get("db/a"), "OBJECT_MISSING", "get");
      }
      await store.put("db/a", bytes(10));
      sameBytes(await readAll(await store.get("db/a")), bytes(10));
    },
  ],
  [
    "a body of a put that is refused is canceled",
    async (store) => {
      await store.put("a", bytes(1));
      for (const [key, code] of [
        ["a", "OBJECT_EXISTS"],
        ["../a", "STORE_KEY"],
      ] as const) {
        const body = bodyOf([bytes(10)], () => {});
        await rejectsAs(store.put(key, body.stream), code, key);
        await body.canceled;
      }
    },
  ],
];

const refused: Case = [
  "F7 a time that is none is refused",
  async (store) => {
    await rejectsNamed(store.put("a", bytes(1), { modified: new Date(Number.NaN) }), "RangeError");
    same(await listed(store), [], "list");
  },
];

const deletes: Case[] = [
  [
    "deleting removes one object, is repeatable, and frees the key",
    async (store) => {
      for (const key of ["db/a", "db/a.b", "db/ab", "db/b"]) await store.put(key, bytes(10));
      await store.delete("db/a");
      await store.delete("db/a");
      await store.delete("nowhere/at/all");
      same(await store.head("db/a"), undefined, "head");
      await rejectsAs(store.get("db/a"), "OBJECT_MISSING", "get");
      same(await listed(store), ["db/a.b", "db/ab", "db/b"], "list");
      await store.put("db/a", bytes(20, 2));
      sameBytes(await readAll(await store.get("db/a")), bytes(20, 2));
    },
  ],
];

const folders: Case = [
  "what begins like a key is not the object",
  async (store) => {
    await store.put("db/a/b", bytes(10));
    for (const key of ["db", "db/a", "db/a/b/c"]) {
      same(await store.head(key), undefined, key);
      await rejectsAs(store.get(key), "OBJECT_MISSING", key);
      await store.delete(key);
    }
    same(await listed(store), ["db/a/b"], "list");
  },
];

const keepsModified: Case = [
  "F7 the time given with a put is kept to the millisecond",
  async (store) => {
    const times = [0, 1, 999, 1_700_000_000_123, 1_700_000_000_999, 2 ** 31 * 1000 + 7, 4_102_444_800_001];
    for (const time of times) {
      const given = new Date(time);
      await store.put(`t${time}`, bytes(1), { modified: given });
      given.setTime(5);
      same((await store.head(`t${time}`))?.modified.getTime(), time, "head");
    }
    const found = (await store.list("")).objects.map(({ modified }) => modified.getTime());
    same(
      found.sort((a, b) => a - b),
      times,
      "list",
    );
  },
];

const hasModified: Case = [
  "an object has a time",
  async (store) => {
    await store.put("a", bytes(1), { modified: new Date(1_700_000_000_123) });
    ok(!Number.isNaN((await store.head("a"))?.modified.getTime()), "no time");
  },
];
