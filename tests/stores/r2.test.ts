// An R2 bucket that fails, puts that race, other objects in it, leftovers. The suite of every store runs where a binding
// is quick, inside workerd: tests/runtimes/workerd/r2.test.ts.
import { type R2Binding, r2 } from "pagemark";
import { describe, expect, test, vi } from "vitest";
import { bodyOf, bytes, cut, listed, readAll } from "../contracts/store-cases/bytes.ts";
import { buckets } from "./r2-bucket.ts";
import { type CallName, denied, type Fault, faulty, internal, lost, noBucket, tooMany } from "./r2-faults.ts";

vi.setConfig({ testTimeout: 60_000 });

const MiB = 1024 * 1024;
const newBucket = buckets();

const quick = { delay: 1, timeout: 2000 };
const long = bytes(6 * MiB + 5); // two parts
const longBody = (object = long) => bodyOf(cut(object, [MiB])).stream;

/** Also what is temporary. */
const allKeys = async (bucket: R2Binding) => (await bucket.list()).objects.map(({ key }) => key);

/** What fails: the first so many calls of a name. */
const first =
  (name: CallName, count: number, fault: Fault) =>
  (call: CallName, number: number): Fault | undefined =>
    call === name && number <= count ? fault : undefined;

async function holds(bucket: R2Binding, key: string, object: Uint8Array) {
  expect(Buffer.compare(await readAll(await r2(bucket).get(key)), object)).toBe(0);
}

const HOW: [string, Fault][] = [
  ["answers 500", { how: "before", error: internal() }],
  ["answers 429", { how: "before", error: tooMany() }],
  ["loses the connection", { how: "before", error: lost() }],
  ["does it, but answers 500", { how: "after" }],
  ["does it, but loses the answer", { how: "after", error: lost() }],
];

describe("F5 a bucket that fails for a while", () => {
  /** What a long put calls. */
  const names: CallName[] = ["head", "createMultipartUpload", "uploadPart", "complete", "get"];

  test.each(HOW)("%s: a long put is done all the same", async (_, fault) => {
    const bucket = await newBucket();
    for (const name of names) {
      const { bucket: failing } = faulty(bucket, first(name, 2, fault));
      await r2(failing, quick).put(name, longBody());
      await holds(bucket, name, long);
    }
    expect(await allKeys(bucket)).toEqual([...names].sort());
  });

  test.each(HOW)("%s: a short put, head, list, get and delete are done all the same", async (_, fault) => {
    const bucket = await newBucket();
    const { bucket: failing } = faulty(bucket, (_call, number) => (number % 3 === 0 ? undefined : fault));
    const store = r2(failing, quick);
    await store.put("array", bytes(1000));
    await store.put("stream", bodyOf([bytes(1000)]).stream);
    expect(await listed(store)).toEqual(["array", "stream"]);
    expect((await store.head("array"))?.size).toBe(1000);
    expect(await readAll(await store.get("stream", { offset: 5 }))).toEqual(bytes(1000).slice(5));
    await store.delete("array");
    expect(await allKeys(bucket)).toEqual(["stream"]);
  });

  test("is slow, or never answers: each call is tried again after its time", async () => {
    const bucket = await newBucket();
    for (const fault of [{ how: "slow", time: 600 }, { how: "hang" }] as const) {
      const { bucket: failing } = faulty(bucket, (_call, number) => (number === 1 ? fault : undefined));
      const store = r2(failing, { delay: 1, timeout: 300 });
      const key = `short-${fault.how}`;
      await store.put(key, bytes(1000));
      await holds(bucket, key, bytes(1000));
      expect(await readAll(await store.get(key))).toEqual(bytes(1000));
    }
  });

  test("stores half of an object: it is removed and put again", async () => {
    const bucket = await newBucket();
    const { bucket: failing } = faulty(bucket, first("put", 1, { how: "torn" }));
    await r2(failing, quick).put("a", bytes(1000));
    await holds(bucket, "a", bytes(1000));
  });

  test.each(["torn", "short"] as const)(
    "gives a %s body: reading goes on where it broke off",
    async (how) => {
      const bucket = await newBucket();
      await r2(bucket).put("a", bytes(3 * MiB));
      for (const range of [{}, { offset: 1000 }, { offset: 5, length: MiB }]) {
        const { bucket: failing } = faulty(bucket, first("get", 3, { how }));
        const { offset = 0, length = 3 * MiB } = { length: undefined, ...range };
        const read = await readAll(await r2(failing, quick).get("a", range));
        expect(Buffer.compare(read, bytes(3 * MiB).slice(offset, offset + length))).toBe(0);
      }
    },
  );

  test("lists nothing that is there: a put still finds its key taken", async () => {
    const bucket = await newBucket();
    const { bucket: failing } = faulty(bucket, first("list", 100, { how: "stale" }));
    const store = r2(failing, quick);
    await store.put("a", bytes(10));
    expect(await listed(store)).toEqual([]);
    await expect(store.put("a", longBody())).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
    await holds(bucket, "a", bytes(10));
  });
});

describe("F5 a bucket that fails for good", () => {
  test.each(HOW.slice(0, 3))("%s: after five attempts the error says so", async (_, fault) => {
    const { bucket, calls } = faulty(await newBucket(), () => fault);
    const store = r2(bucket, quick);
    for (const call of [
      () => store.put("a", bytes(1)),
      () => store.put("a", longBody()),
      () => store.get("a"),
      () => store.head("a"),
      () => store.list(""),
      () => store.delete("a"),
    ]) {
      calls.length = 0;
      await expect(call()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(calls).toHaveLength(5);
    }
  });

  test.each([
    ["STORE_DENIED", denied()],
    ["STORE_NO_BUCKET", noBucket()],
  ])("%s is not tried again", async (code, error) => {
    const { bucket, calls } = faulty(await newBucket(), () => ({ how: "before", error }));
    await expect(r2(bucket, quick).put("a", bytes(1))).rejects.toMatchObject({ code });
    await expect(r2(bucket, quick).head("a")).rejects.toMatchObject({ code });
    expect(calls).toEqual(["list", "list"]); // which tells whether it is encrypted
  });

  test.each(["put", "uploadPart", "complete", "get"] as const)(
    "at every %s of a long put: nothing is left, and the body is canceled",
    async (name) => {
      const bucket = await newBucket();
      const { bucket: failing, calls } = faulty(bucket, first(name, 100, { how: "before" }));
      const put = r2(failing, quick).put("a", longBody());
      await expect(put).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(await allKeys(bucket)).toEqual([]);
      expect(calls.includes("abort")).toBe(name !== "get");
    },
  );

  test("a body that always breaks off is an error, not a short object", async () => {
    const bucket = await newBucket();
    await r2(bucket).put("a", bytes(1000));
    const { bucket: failing } = faulty(bucket, (call) =>
      call === "get" ? { how: "before", error: lost() } : undefined,
    );
    const { bucket: torn } = faulty(bucket, first("get", 1, { how: "torn" }));
    // The first get is torn, and all after it fail.
    let gets = 0;
    const both: R2Binding = {
      ...torn,
      ...failing,
      get: (key, options) => (gets++ === 0 ? torn.get(key, options) : failing.get(key, options)),
    };
    await expect(readAll(await r2(both, quick).get("a"))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
  });

  test("an object that is replaced while it is read is an error, not a mixture", async () => {
    const bucket = await newBucket();
    await r2(bucket).put("a", bytes(1000));
    const { bucket: failing } = faulty(bucket, first("get", 1, { how: "torn" }));
    const stream = await r2(failing, quick).get("a");
    await bucket.put("a", bytes(1000, 2));
    await expect(readAll(stream)).rejects.toMatchObject({ code: "STORE_IO" });
  });
});

describe("F6 puts of one key at once", () => {
  test("of many parts, and of one: one wins, the object is the winner's, nothing else is left", async () => {
    const bucket = await newBucket();
    const objects = [0, 1, 2, 3].map((i) => (i % 2 ? bytes(1000 + i, i) : bytes(6 * MiB + i, i + 1)));
    const results = await Promise.allSettled(objects.map((object) => r2(bucket).put("a", longBody(object))));
    const winners = results.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "OBJECT_EXISTS" });
    }
    await holds(bucket, "a", objects[winners[0] ?? -1] ?? bytes(1));
    expect(await allKeys(bucket)).toEqual(["a"]);
  });

  test.each(["createMultipartUpload", "uploadPart", "complete", "get"] as const)(
    "another's, stored when a long put is at its first %s, is not replaced",
    async (name) => {
      const bucket = await newBucket();
      const { bucket: watched } = faulty(bucket, (call, number) => {
        if (call === name && number === 1) other = bucket.put("a", bytes(7));
        return undefined;
      });
      let other: Promise<unknown> = Promise.resolve();
      // The call itself waits until the other's object is there.
      const held: R2Binding = {
        ...watched,
        put: async (...args) => {
          await other;
          return watched.put(...args);
        },
      };
      await expect(r2(held, quick).put("a", longBody())).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
      await holds(bucket, "a", bytes(7));
      expect(await allKeys(bucket)).toEqual(["a"]);
    },
  );
});

describe("the bucket", () => {
  test("may hold other things: what is no key is not listed, and does not shorten a page", async () => {
    const bucket = await newBucket();
    for (const key of ["a b", "ä", "a//b", ".pagemark/tmp/x~", "z~"]) await bucket.put(key, bytes(1));
    for (const key of ["a/1", "a/2", "b"]) await r2(bucket).put(key, bytes(1));
    for (const limit of [1, 2, 1000])
      expect(await listed(r2(bucket), "", { limit })).toEqual(["a/1", "a/2", "b"]);
    expect((await r2(bucket).list("", { limit: 2 })).objects).toHaveLength(2);
  });

  test("F12 an abort amid parts, or in a pause, leaves nothing, and comes through at once", async () => {
    const bucket = await newBucket();
    const reason = new Error("the user pressed stop");
    for (const fault of [{ how: "hang" }, { how: "before" }] as const) {
      const { bucket: failing } = faulty(bucket, first("uploadPart", 100, fault));
      const controller = new AbortController();
      const store = r2(failing, { delay: 60_000, timeout: 60_000 });
      const put = store.put("a", longBody(), { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 500);
      await expect(put).rejects.toBe(reason);
      expect(await allKeys(bucket)).toEqual([]);
    }
  });

  test("F1 what a crash left is never listed, and is swept a day later, the upload too", async () => {
    const bucket = await newBucket();
    const uploads: { key: string; uploadId: string }[] = [];
    const { bucket: watched } = faulty(bucket, (call) =>
      call === "uploadPart" ? { how: "hang" } : undefined,
    );
    const dead: R2Binding = {
      ...watched,
      createMultipartUpload: async (key) => {
        const made = await watched.createMultipartUpload(key);
        uploads.push({ key, uploadId: made.uploadId });
        return made;
      },
    };
    r2(dead)
      .put("a", longBody())
      .catch(() => {});
    await expect.poll(() => allKeys(bucket), { timeout: 20_000 }).toHaveLength(1);
    const [temporary = ""] = await allKeys(bucket);
    expect(await listed(r2(bucket))).toEqual([]);
    await r2(bucket).put("b", longBody());
    expect(await allKeys(bucket)).toEqual([temporary, "b"]);

    r2(dead)
      .put("d", longBody())
      .catch(() => {});
    await expect.poll(() => allKeys(bucket)).toHaveLength(3);
    // However few of them R2 lists at a time.
    const plain = faulty(bucket, () => undefined).bucket;
    const paged: R2Binding = { ...plain, list: (options) => plain.list({ ...options, limit: 1 }) };
    const now = Date.now;
    Date.now = () => now() + 24 * 60 * 60 * 1000 + 1000;
    try {
      await r2(paged).put("c", longBody());
    } finally {
      Date.now = now;
    }
    expect(await allKeys(bucket)).toEqual(["b", "c"]);
    for (const { key, uploadId } of uploads) {
      const late = bucket.resumeMultipartUpload(key, uploadId).uploadPart(1, bytes(1));
      await expect(late, key).rejects.toThrow("(10024)");
    }
  });
});
