// That a put outlives a crash: what is flushed, in which order, and what a kill at any call leaves.
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { folder as folderStore } from "pagemark";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { storeContract } from "../contracts/store.ts";
import { bodyOf, bytes, cut, listed, readAll } from "../contracts/store-cases/bytes.ts";
import { sameBytes } from "../contracts/store-cases/check.ts";
import { putTwo, systemError, TWO, type Watcher, watch } from "./folder-calls.ts";

vi.setConfig({ testTimeout: 120_000 });

let outside: string;
let root: string;

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "pagemark-"));
  root = join(outside, "store");
});

afterEach(() => rm(outside, { recursive: true }));

/** Runs `use` while `watcher` sees every call. */
async function watching<T>(watcher: Watcher, use: () => Promise<T>): Promise<T> {
  const stop = await watch(watcher);
  try {
    return await use();
  } finally {
    stop();
  }
}

/** The calls that change something or make it last, in order: `link db/a`, `sync db`. */
async function changes(use: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  await watching((call, next) => {
    const done = /^(mkdir|link|unlink|rename|handle\.(write|utimes|sync|datasync))$/.exec(call.name);
    const path = relative(outside, String(call.name === "link" ? call.args[1] : call.path));
    if (done) seen.push(`${call.name.replace("handle.", "")} ${path.replace(/[^/]+~$/, "TEMP")}`);
    return next();
  }, use);
  return seen.map((line) => line.replace(/ $/, " ."));
}

describe("a put is flushed before it is done", () => {
  const TEMP = "store/.pagemark/tmp/TEMP";

  test("the file before it has its name, the folder after", async () => {
    const store = folderStore(root);
    await store.put("db/a", bytes(1));
    const seen = await changes(() =>
      store.put("db/b", bodyOf(cut(bytes(20), [10])).stream, { modified: new Date(5) }),
    );
    expect(seen).toEqual([
      `write ${TEMP}`,
      `write ${TEMP}`,
      `utimes ${TEMP}`,
      `sync ${TEMP}`,
      "link store/db/b",
      "sync store/db",
      `unlink ${TEMP}`,
    ]);
  });

  test("the folder above every new folder too", async () => {
    const seen = await changes(() => folderStore(join(root, "deep")).put("db/ltx/a", bytes(1)));
    for (const folder of ["store", "store/deep", "store/deep/db", "store/deep/db/ltx"]) {
      const above = join(folder, "..");
      const made = seen.indexOf(`mkdir ${folder}`);
      expect(made, folder).toBeGreaterThanOrEqual(0);
      expect(seen.indexOf(`sync ${above}`, made), above).toBeGreaterThan(made);
    }
    expect(seen.indexOf("sync store/deep/db/ltx")).toBeGreaterThan(seen.indexOf("link store/deep/db/ltx/a"));
  });

  test("folders that another process made and may not have flushed too, once", async () => {
    await mkdir(join(root, "db/ltx"), { recursive: true });
    const store = folderStore(root);
    const first = await changes(() => store.put("db/ltx/a", bytes(1)));
    for (const folder of [".", "store", "store/db"]) expect(first).toContain(`sync ${folder}`);
    const second = await changes(() => store.put("db/ltx/b", bytes(1)));
    expect(second.filter((line) => line.startsWith("sync"))).toEqual([`sync ${TEMP}`, "sync store/db/ltx"]);
  });

  test("a large object from early on, so that little is left for the end", async () => {
    const chunk = bytes(1024 * 1024);
    const chunks = Array.from({ length: 40 }, () => chunk);
    const seen = await changes(() => folderStore(root).put("a", bodyOf(chunks).stream));
    expect(seen.filter((line) => line === `datasync ${TEMP}`).length).toBeGreaterThanOrEqual(1);
  });

  test.each(["handle.sync", "handle.datasync", "handle.close"])(
    "F11 a failing %s is not passed over",
    async (name) => {
      const chunk = bytes(1024 * 1024);
      const chunks = Array.from({ length: 40 }, () => chunk);
      const store = folderStore(root);
      await store.put("first", bytes(1));
      const put = watching(
        async (call, next) => {
          const result = await next();
          if (call.name === name && call.path.endsWith("~")) throw systemError("EIO");
          return result;
        },
        () => store.put("a", bodyOf(chunks).stream),
      );
      await expect(put).rejects.toMatchObject({
        code: "STORE_IO",
        message: expect.stringContaining("check it"),
      });
      expect(await listed(store)).toEqual(["first"]);
      expect(await readdir(join(root, ".pagemark/tmp"))).toEqual([]);
    },
  );

  test("a write that takes part of a chunk is continued", async () => {
    const object = bytes(100_000);
    await watching(
      (call, next) => {
        if (call.name === "handle.write") call.args[2] = Math.min(Number(call.args[2]), 7001);
        return next();
      },
      () => folderStore(root).put("a", bodyOf(cut(object, [30_000])).stream),
    );
    expect(await readAll(await folderStore(root).get("a"))).toEqual(object);
  });
});

describe("F1 killed after any call", () => {
  test.each(["with hard links", "without hard links"])(
    "%s: whole objects only, and the next run works",
    async (links) => {
      const child = join(import.meta.dirname, "folder-crash.child.ts");
      for (let last = 1; ; last++) {
        const folder = join(outside, String(last));
        const { signal, status, stderr } = spawnSync(process.execPath, [child, folder, String(last), links]);
        await allWhole(folder);
        if (signal === null) {
          expect(status, String(stderr)).toBe(0);
          expect(last).toBeGreaterThan(50);
          break;
        }
        await outdate(join(folder, ".pagemark/claims"));
        await putTwo(folderStore(folder));
        expect(await allWhole(folder), `after call ${last}`).toBe(TWO.length);
      }
    },
  );
});

/** How many objects are listed, each of which is as it was put. */
async function allWhole(folder: string): Promise<number> {
  const found = (await folderStore(folder).list("")).objects;
  for (const { key, size, modified } of found) {
    const put = TWO.find((one) => one.key === key);
    expect({ key, size, modified }).toEqual({ key, size: put?.object.length, modified: put?.modified });
    sameBytes(await readAll(await folderStore(folder).get(key)), put?.object ?? new Uint8Array(), key);
  }
  return found.length;
}

/** As if a minute had passed. */
async function outdate(claims: string) {
  for (const name of await readdir(claims).catch(() => [])) await utimes(join(claims, name), 1, 1);
}

describe("without hard links", () => {
  let stop: () => void;

  beforeEach(async () => {
    stop = await watch((call, next) => {
      if (call.name === "link") throw systemError("EPERM");
      return next();
    });
  });

  afterEach(() => stop());

  storeContract("folder()", async () => {
    const folder = await mkdtemp(join(outside, "contract-"));
    return { store: folderStore(join(folder, "store")) };
  });

  test("nothing is left of the claims", async () => {
    await folderStore(root).put("db/a", bytes(1));
    await expect(folderStore(root).put("db/a", bytes(1))).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
    expect(await readdir(join(root, ".pagemark/claims"))).toEqual([]);
  });

  test("a claim of another process refuses the key, until it is a minute old", async () => {
    await watching(
      (call, next) =>
        call.name === "rename" || call.name === "rmdir" ? Promise.reject(systemError("EIO")) : next(),
      () => expect(folderStore(root).put("a", bytes(1))).rejects.toMatchObject({ code: "STORE_IO" }),
    );
    await expect(folderStore(root).put("a", bytes(2))).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
    expect(await listed(folderStore(root))).toEqual([]);
    await outdate(join(root, ".pagemark/claims"));
    await folderStore(root).put("a", bytes(2));
    expect(await listed(folderStore(root))).toEqual(["a"]);
  });

  test("a folder where renaming is not allowed either is read-only", async () => {
    const put = watching(
      (call, next) => (call.name === "rename" ? Promise.reject(systemError("EPERM")) : next()),
      () => folderStore(root).put("a", bytes(1)),
    );
    await expect(put).rejects.toMatchObject({ code: "STORE_READ_ONLY" });
  });
});

test("F6 of many processes that put one key exactly one wins", async () => {
  // Each puts its own 1 MB; the watcher holds them all back until the last is about to give the file its name.
  const stores = Array.from({ length: 12 }, () => folderStore(root));
  let waiting = 0;
  let release = () => {};
  const all = new Promise<void>((resolve) => {
    release = resolve;
  });
  const results = await watching(
    async (call, next) => {
      if (call.name !== "link") return next();
      if (++waiting === stores.length) release();
      await all;
      return next();
    },
    () => Promise.allSettled(stores.map((store, i) => store.put("db/race", bytes(1_000_000, i)))),
  );
  const winners = results.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
  expect(winners).toHaveLength(1);
  const object = await readAll(await folderStore(root).get("db/race"));
  expect(Buffer.compare(object, bytes(1_000_000, winners[0]))).toBe(0);
  for (const result of results) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "OBJECT_EXISTS" });
  }
});
