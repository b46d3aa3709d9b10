// Objects put part by part, by processes that may end between a call and keeping what it gave: calls come twice.
import type { Store, StoreUploads, UploadState } from "pagemark";
import { bytes, listed, readAll } from "./bytes.ts";
import { ok, rejectsAs, rejectsNamed, same, sameBytes } from "./check.ts";
import type { Case } from "./index.ts";

/** For stores that have them. */
function withUploads(run: (store: Store, uploads: StoreUploads) => Promise<void>): Case[1] {
  return async (store) => {
    if (store.uploads) await run(store, store.uploads);
  };
}

/** What is left of a state that was stored and read back. */
const stored = (state: UploadState): UploadState => JSON.parse(JSON.stringify(state));

/** Puts `object` part by part, every call as often as `times` says. */
async function put(
  uploads: StoreUploads,
  key: string,
  object: Uint8Array,
  times: number,
): Promise<UploadState[]> {
  const { partSize } = uploads;
  const states = [await uploads.start(key, { modified: new Date(5) })];
  let at = 0;
  for (; at + partSize <= object.length; at += partSize) {
    const before = states.at(-1) as UploadState;
    let next = before;
    for (let n = 0; n < times; n++) {
      next = await uploads.append(stored(before), object.slice(at, at + partSize));
    }
    states.push(next);
  }
  for (let n = 0; n < times; n++)
    await uploads.finish(stored(states.at(-1) as UploadState), object.slice(at));
  return states;
}

export const uploads: Case[] = [
  [
    "an object put in parts is whole, and there only at the end, also when each call comes twice",
    withUploads(async (store, uploads) => {
      const { partSize } = uploads;
      for (const length of [0, 10, partSize, 2 * partSize + 7]) {
        for (const times of [1, 2]) {
          const object = bytes(length, length % 251);
          await put(uploads, "db/a", object, times);
          sameBytes(await readAll(await store.get("db/a")), object, `${length} bytes, ${times} times`);
          same(await store.head("db/a"), { key: "db/a", size: length, modified: new Date(5) }, "head");
          same(await listed(store), ["db/a"], "list");
          await store.delete("db/a");
        }
      }
    }),
  ],
  [
    "a process that ended may have been further by any number of calls",
    withUploads(async (store, uploads) => {
      const object = bytes(2 * uploads.partSize + 7);
      const part = (n: number) => object.slice(n * uploads.partSize, (n + 1) * uploads.partSize);
      const states = await put(uploads, "db/a", object, 1);
      for (const from of [...states.keys()].reverse()) {
        let state = stored(states[from] as UploadState);
        for (let n = from; n < 2; n++) state = await uploads.append(stored(state), part(n));
        await uploads.finish(stored(state), part(2));
        sameBytes(await readAll(await store.get("db/a")), object, `from state ${from}`);
      }
      same(await listed(store), ["db/a"], "list");
    }),
  ],
  [
    "before its end an object put in parts is not there, and an abort leaves nothing of it",
    withUploads(async (store, uploads) => {
      const part = bytes(uploads.partSize);
      for (const parts of [0, 1, 2]) {
        const states = [await uploads.start("db/a")];
        for (let n = 0; n < parts; n++) states.push(await uploads.append(states[n] as UploadState, part));
        same(await store.head("db/a"), undefined, "head");
        same(await listed(store), [], "list");
        // With the newest state, or with one before it.
        await uploads.abort(stored(states.at(-2) ?? (states[0] as UploadState)));
        await uploads.abort(stored(states.at(-1) as UploadState));
        if (parts === 0) continue;
        await rejectsAs(
          uploads.finish(stored(states.at(-1) as UploadState), bytes(1)),
          "STORE_UPLOAD",
          "finish",
        );
      }
      same(await listed(store), [], "list");
    }),
  ],
  [
    "an abort after the end removes the object, and another's under the key stays",
    withUploads(async (store, uploads) => {
      for (const length of [10, uploads.partSize + 10]) {
        const states = await put(uploads, "db/a", bytes(length), 1);
        await uploads.abort(states.at(-1) as UploadState);
        same(await listed(store), [], "list");
        await store.put("db/a", bytes(20));
        await uploads.abort(states.at(-1) as UploadState);
        sameBytes(await readAll(await store.get("db/a")), bytes(20));
        await store.delete("db/a");
      }
    }),
  ],
  [
    "an object put in parts never replaces one, and a key that was taken stays so",
    withUploads(async (store, uploads) => {
      await store.put("db/a", bytes(20));
      for (const length of [10, uploads.partSize + 10]) {
        await rejectsAs(put(uploads, "db/a", bytes(length), 1), "OBJECT_EXISTS", `${length} bytes`);
      }
      sameBytes(await readAll(await store.get("db/a")), bytes(20));
      const small = await uploads.start("db/b");
      await uploads.finish(small, bytes(5));
      await rejectsAs(store.put("db/b", bytes(1)), "OBJECT_EXISTS", "put");
    }),
  ],
  [
    "F7 what is no key, no time or no part is refused",
    withUploads(async (store, uploads) => {
      await rejectsAs(uploads.start("../a"), "STORE_KEY", "key");
      await rejectsNamed(uploads.start("a", { modified: new Date(Number.NaN) }), "RangeError");
      const state = await uploads.start("a");
      for (const length of [0, uploads.partSize - 1, uploads.partSize + 1]) {
        await rejectsNamed(uploads.append(state, bytes(length)), "RangeError");
      }
      await rejectsNamed(uploads.finish(state, bytes(uploads.partSize)), "RangeError");
      ok((await listed(store)).length === 0, "something was stored");
    }),
  ],
];
