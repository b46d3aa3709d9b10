// Uploads into an R2 bucket by processes that end at any call, before or after it took effect.
import { type R2Binding, r2, type UploadState } from "pagemark";
import { describe, expect, test, vi } from "vitest";
import { bytes, readAll } from "../contracts/store-cases/bytes.ts";
import { buckets } from "./r2-bucket.ts";
import { faulty, lost } from "./r2-faults.ts";

vi.setConfig({ testTimeout: 120_000 });

const newBucket = buckets();
const MiB = 1024 * 1024;
const PART = 5 * MiB;
const object = bytes(2 * PART + 77);

/** Nothing is tried again: the process ends at the first failure. */
const once = { attempts: 1, delay: 1, timeout: 5000 };

const allKeys = async (bucket: R2Binding) => (await bucket.list()).objects.map(({ key }) => key);

/** Goes on from the state in `kept`, and keeps each new one there. */
async function goOn(bucket: R2Binding, kept: { state?: string }): Promise<void> {
  const { uploads } = r2(bucket, once);
  if (!uploads) throw new Error("a bucket has them");
  const keep = (state: UploadState) => {
    kept.state = JSON.stringify(state);
    return state;
  };
  let state = kept.state ? (JSON.parse(kept.state) as UploadState) : keep(await uploads.start("db/a"));
  while (state.size < 2 * PART) {
    state = keep(await uploads.append(state, object.slice(state.size, state.size + PART)));
  }
  await uploads.finish(state, object.slice(state.size));
}

/** Ends the process at its `at`th call; whether it came to that. */
async function endAt(bucket: R2Binding, at: number, how: "before" | "after", kept: { state?: string }) {
  let calls = 0;
  let isOver = false;
  const { bucket: failing } = faulty(bucket, () => {
    if (isOver) return { how: "before", error: lost() };
    isOver = ++calls === at;
    return isOver ? { how, error: lost() } : undefined;
  });
  await goOn(failing, kept).catch(() => {});
  return isOver;
}

describe.each(["before", "after"] as const)("a process that ends %s a call to the bucket is done", (how) => {
  test("is followed by one that makes the object, and leaves nothing else", async () => {
    const bucket = await newBucket();
    let ends = 0;
    for (let at = 1; ; at++, ends++) {
      const kept = {};
      const ended = await endAt(bucket, at, how, kept);
      await goOn(bucket, kept);
      expect(Buffer.compare(await readAll(await r2(bucket).get("db/a")), object), `${at}`).toBe(0);
      // Also nothing temporary.
      expect(await allKeys(bucket)).toEqual(["db/a"]);
      await bucket.delete("db/a");
      if (!ended) break;
    }
    expect(ends).toBeGreaterThan(8);
  });

  test("is followed by one that gives it up, and nothing is left", async () => {
    const bucket = await newBucket();
    for (let at = 1; ; at++) {
      const kept: { state?: string } = {};
      const ended = await endAt(bucket, at, how, kept);
      if (kept.state) await r2(bucket).uploads?.abort(JSON.parse(kept.state));
      expect(await allKeys(bucket), `${at}`).toEqual([]);
      if (!ended) break;
    }
  });
});

test("the sweep of another process leaves an upload of today alone, and removes one of yesterday", async () => {
  const bucket = await newBucket();
  const { uploads } = r2(bucket);
  const begun = await uploads?.start("db/a");
  const state = begun && (await uploads?.append(begun, object.slice(0, PART)));
  if (!state) throw new Error("a bucket has them");
  const now = Date.now;
  // Each begins an upload of its own, which is when it sweeps.
  const other = async (key: string) => {
    const { uploads } = r2(bucket);
    const begun = await uploads?.start(key);
    const state = begun && (await uploads?.append(begun, object.slice(0, PART)));
    if (state) await uploads?.abort(state);
  };
  try {
    Date.now = () => now() + 23 * 60 * 60 * 1000;
    await other("db/b");
    expect(await allKeys(bucket)).toHaveLength(1);
    Date.now = () => now() + 25 * 60 * 60 * 1000;
    await other("db/c");
  } finally {
    Date.now = now;
  }
  expect(await allKeys(bucket)).toEqual([]);
  await expect(uploads?.append(state, object.slice(0, PART))).rejects.toMatchObject({ code: "STORE_UPLOAD" });
  await expect(uploads?.finish(state, bytes(1))).rejects.toMatchObject({ code: "STORE_UPLOAD" });
});
