import { type Body, bodyOf, bytes, cut, listed, readAll } from "./bytes.ts";
import { rejectsAs, rejectsWith, same, sameBytes } from "./check.ts";
import type { Case } from "./index.ts";

const MiB = 1024 * 1024;
const SIZE = 8 * MiB;
const reason = new Error("the user pressed stop");

export const aborts: Case[] = [
  [
    "F12 nothing is done when the signal has aborted before",
    async (store) => {
      const signal = AbortSignal.abort(reason);
      await store.put("a", bytes(10));
      const body = bodyOf([bytes(10)], () => {});
      await rejectsWith(store.put("b", body.stream, { signal }), reason, "put of a stream");
      await body.canceled;
      await rejectsWith(store.put("b", bytes(10), { signal }), reason, "put of an array");
      await rejectsWith(store.get("a", { signal }), reason, "get");
      await rejectsWith(store.head("a", { signal }), reason, "head");
      await rejectsWith(store.list("", { signal }), reason, "list");
      await rejectsWith(store.delete("a", { signal }), reason, "delete");
      same(await listed(store), ["a"], "list");
    },
  ],
  [
    "F12 a put aborted while its body comes, or does not come, leaves nothing",
    async (store) => {
      const bodies: ((abort: () => void) => Body)[] = [
        // before the first chunk, after some, at the end of the last, and all while nobody answers
        (abort) => bodyOf([], () => forever(abort)),
        (abort) => bodyOf(cut(bytes(3 * MiB), [262_144]), () => forever(abort)),
        (abort) => bodyOf(cut(bytes(MiB), [262_144]), (controller) => close(controller, abort)),
      ];
      for (const [i, makeBody] of bodies.entries()) {
        const controller = new AbortController();
        const body = makeBody(() => controller.abort(reason));
        await rejectsWith(store.put("db/a", body.stream, { signal: controller.signal }), reason, `body ${i}`);
        same(await listed(store), [], `list after body ${i}`);
        await rejectsAs(store.get("db/a"), "OBJECT_MISSING", `get after body ${i}`);
      }
      await store.put("db/a", bytes(10));
      sameBytes(await readAll(await store.get("db/a")), bytes(10));
    },
  ],
  [
    "a body whose put was aborted is canceled with the reason",
    async (store) => {
      const controller = new AbortController();
      const body = bodyOf([bytes(10)], () => forever(() => controller.abort(reason)));
      await rejectsWith(store.put("a", body.stream, { signal: controller.signal }), reason);
      await rejectsWith(
        body.canceled.then((given) => Promise.reject(given)),
        reason,
        "canceled",
      );
    },
  ],
  [
    "F12 a get aborted midway fails with the reason, and the object is unharmed",
    async (store) => {
      const object = bytes(SIZE);
      await store.put("a", object);
      for (const chunks of [0, 1]) {
        const controller = new AbortController();
        const reader = (await store.get("a", { signal: controller.signal })).getReader();
        for (let i = 0; i < chunks; i++) await reader.read();
        controller.abort(reason);
        await rejectsWith(toTheEnd(reader), reason, `after ${chunks} chunks`);
      }
      const controller = new AbortController();
      const reader = (await store.get("a", { signal: controller.signal })).getReader();
      const pending = toTheEnd(reader);
      controller.abort(reason);
      await rejectsWith(pending, reason, "while a read waits");
      sameBytes(await readAll(await store.get("a")), object);
    },
  ],
  [
    "an abort after the end does nothing",
    async (store) => {
      const controller = new AbortController();
      const { signal } = controller;
      await store.put("a", bytes(1000), { signal });
      const read = await readAll(await store.get("a", { signal }));
      controller.abort(reason);
      sameBytes(read, bytes(1000));
      sameBytes(await readAll(await store.get("a")), bytes(1000));
    },
  ],
];

/** Aborts, and never gives what was asked for. */
function forever(abort: () => void): Promise<void> {
  abort();
  return new Promise(() => {});
}

function close(controller: ReadableStreamDefaultController<Uint8Array>, abort: () => void) {
  controller.close();
  abort();
}

async function toTheEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
