// What a folder is beyond a store: names, modes, links, leftovers, several processes.
import promises, {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { folder as folderStore, fs } from "pagemark";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { storeContract } from "../contracts/store.ts";
import { bytes, listed, putAll, readAll, sorted } from "../contracts/store-cases/bytes.ts";

storeContract(
  "folder()",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "pagemark-"));
    return { store: folderStore(join(folder, "store")), cleanup: () => rm(folder, { recursive: true }) };
  },
  { caseSensitive: process.platform === "linux" },
);

vi.setConfig({ testTimeout: 60_000 }); // thousands of files, each flushed to a disk that may be busy

let outside: string;
let root: string;

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "pagemark-"));
  root = join(outside, "store");
});

afterEach(() => rm(outside, { recursive: true }));

const mode = async (path: string) => ((await stat(join(root, path))).mode & 0o777).toString(8);
const temporaries = () => readdir(join(root, ".pagemark/tmp"));

describe("the folder's name", () => {
  test("the function's old name is still there", () => {
    expect(fs).toBe(folderStore);
  });

  test("a trailing slash, a relative path and dots in it lead to the same folder", async () => {
    await folderStore(root).put("a", bytes(1));
    for (const name of [`${root}/`, `${root}//`, `${outside}/x/../store`, relative(process.cwd(), root)]) {
      expect(await listed(folderStore(name)), name).toEqual(["a"]);
    }
  });

  test("a relative path counts from where the program was when it made the store", async () => {
    const before = process.cwd();
    process.chdir(outside);
    const store = folderStore("store");
    process.chdir(before);
    await store.put("a", bytes(1));
    expect(await listed(folderStore(root))).toEqual(["a"]);
    expect(store.description).toContain(root);
  });

  test("~ is not expanded", async () => {
    await folderStore(join(outside, "~/x")).put("a", bytes(1));
    expect(await readdir(outside)).toEqual(["~"]);
  });

  test.each(["", "a\0b"])("F8 %j is refused", (name) => {
    expect(() => folderStore(name)).toThrow(expect.objectContaining({ code: "STORE_NOT_A_FOLDER" }));
  });

  test("F8 any name that a folder can have will do", async () => {
    for (const name of ["a b", "ä\u0308", "日本", "\u202etxt", "'; --", "a\nb", "%2e", "x".repeat(255)]) {
      const store = folderStore(join(outside, name));
      await store.put("a/b", bytes(9));
      expect(await readAll(await store.get("a/b")), name).toEqual(bytes(9));
    }
  });
});

describe("the folder", () => {
  test("is made by the first put, not by reading", async () => {
    const store = folderStore(join(root, "deep/er"));
    await store.list("");
    await store.head("a");
    await store.delete("a");
    await expect(store.get("a")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    expect(await readdir(outside)).toEqual([]);
    await store.put("a", bytes(1));
    expect(await listed(store)).toEqual(["a"]);
  });

  test("is private, with all that is in it, as far as it was not there before", async () => {
    await folderStore(root).put("db/a", bytes(1));
    expect([await mode(""), await mode("db"), await mode("db/a")]).toEqual(["700", "700", "600"]);

    await mkdir(join(root, "mine"));
    await chmod(join(root, "mine"), 0o755);
    await folderStore(root).put("mine/a", bytes(1));
    expect([await mode("mine"), await mode("mine/a")]).toEqual(["755", "600"]);
  });

  test("may be removed while the program runs", async () => {
    const store = folderStore(root);
    await store.put("db/a", bytes(1));
    await rm(root, { recursive: true });
    expect(await listed(store)).toEqual([]);
    await store.put("db/a", bytes(2));
    await rm(join(root, "db"), { recursive: true });
    await store.put("db/b", bytes(3));
    expect(await listed(store)).toEqual(["db/b"]);
  });

  test("may hold other things: what is no key, no file, or a store of its own is not listed", async () => {
    const store = folderStore(root);
    await store.put("db/a", bytes(1));
    for (const name of ["with space", "ä", ".DS_Store~", "a+b"]) await writeFile(join(root, name), "x");
    await mkdir(join(root, "empty/empty"), { recursive: true });
    await mkdir(join(root, "bad name"));
    await writeFile(join(root, "bad name/a"), "x");
    const socket = createServer().listen(join(root, "socket"));
    await new Promise((resolve) => socket.once("listening", resolve));
    expect(await listed(store)).toEqual(["db/a"]);
    expect(await store.head("socket")).toBeUndefined();
    await expect(store.get("socket")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    await new Promise((resolve) => socket.close(resolve));

    const controller = new AbortController();
    const { signal } = controller;
    const pending = folderStore(join(root, "inner")).put("x", new ReadableStream(), { signal });
    await expect.poll(() => readdir(join(root, "inner/.pagemark/tmp")).catch(() => [])).toHaveLength(1);
    expect(await listed(store)).toEqual(["db/a"]);
    controller.abort();
    await expect(pending).rejects.toThrow();
  });

  test("a name cannot be an object and a folder", async () => {
    const store = folderStore(root);
    await store.put("a/b", bytes(1));
    await expect(store.put("a", bytes(1))).rejects.toMatchObject({ code: "STORE_KEY" });
    await expect(store.put("a/b/c", bytes(1))).rejects.toMatchObject({ code: "STORE_NOT_A_FOLDER" });
    expect(await listed(store)).toEqual(["a/b"]);
  });

  test("F9 holds 1,000 databases, whose list opens only the folders it needs", async () => {
    const store = folderStore(root);
    const keys = Array.from({ length: 1000 }, (_, i) => `db${String(i).padStart(4, "0")}/ltx/0/a.ltx`);
    await putAll(store, keys);
    expect(await listed(store)).toEqual(keys);
    const opened = vi.spyOn(promises, "opendir");
    syncBuiltinESMExports(); // so that the package, too, sees the spy
    try {
      expect((await store.list("", { limit: 5 })).objects).toHaveLength(5);
      expect(opened.mock.calls.length).toBeLessThanOrEqual(1 + 6 * 3);
      opened.mockClear();
      expect((await store.list("db0500/ltx/0/")).objects).toHaveLength(1);
      expect(opened).toHaveBeenCalledTimes(1);
    } finally {
      opened.mockRestore();
      syncBuiltinESMExports();
    }
  });

  test("F9 a folder of more names than are kept at a time is listed whole", async () => {
    await mkdir(join(root, "many"), { recursive: true });
    const names = Array.from({ length: 5003 }, (_, i) => `n${(i * 7919) % 5003}`);
    await Promise.all(names.map((name, i) => (i % 5 ? mkdir : touch)(join(root, "many", name))));
    const files = sorted(names.filter((_, i) => i % 5 === 0).map((name) => `many/${name}`));
    expect(await listed(folderStore(root))).toEqual(files);
    expect(await listed(folderStore(root), "many/n4", { limit: 30 })).toEqual(
      files.filter((key) => key.startsWith("many/n4")),
    );
  });
});

describe("symbolic links", () => {
  test("the folder itself may be one", async () => {
    await mkdir(join(outside, "disk"));
    await symlink("disk", root);
    await folderStore(root).put("db/a", bytes(5));
    expect(await listed(folderStore(root))).toEqual(["db/a"]);
    expect(await readdir(join(outside, "disk"))).toEqual([".pagemark", "db"]);
    expect(await readAll(await folderStore(root).get("db/a"))).toEqual(bytes(5));
  });

  test("the folder itself may not be one that leads nowhere", async () => {
    await symlink("nowhere", root);
    expect(await listed(folderStore(root))).toEqual([]);
    await expect(folderStore(root).put("a", bytes(1))).rejects.toMatchObject({ code: "STORE_NOT_A_FOLDER" });
  });

  test("F8 one inside is not followed: not listed, not read, not written through, not deleted", async () => {
    await folderStore(join(outside, "other")).put("sub/secret", bytes(5));
    const store = folderStore(root);
    await store.put("db/a", bytes(1));
    await symlink("../other", join(root, "link"));
    await symlink("../../other/sub/secret", join(root, "db/secret"));
    await symlink("loop", join(root, "loop"));
    await symlink("nowhere", join(root, "dangling"));

    expect(await listed(store)).toEqual(["db/a"]);
    expect(await listed(store, "link/")).toEqual([]);
    for (const key of ["link/sub/secret", "db/secret", "loop", "loop/a", "dangling"]) {
      expect(await store.head(key), key).toBeUndefined();
      await expect(store.get(key), key).rejects.toMatchObject({ code: "OBJECT_MISSING" });
      await store.delete(key);
      await expect(store.put(key, bytes(1)), key).rejects.toMatchObject({
        code: expect.stringMatching(/^STORE_(KEY|NOT_A_FOLDER)$/),
      });
    }
    await expect(store.put("link/new/deep", bytes(1))).rejects.toMatchObject({ code: "STORE_NOT_A_FOLDER" });
    expect(await readdir(join(outside, "other/sub"))).toEqual(["secret"]);
    expect(await readdir(join(outside, "other"))).toEqual([".pagemark", "sub"]);
  });

  test("F8 one that takes a folder's place while the program runs is not followed either", async () => {
    const store = folderStore(root);
    await store.put("db/a", bytes(1));
    await rename(join(root, "db"), join(outside, "moved"));
    await symlink("../moved", join(root, "db"));
    await expect(store.put("db/b", bytes(1))).rejects.toMatchObject({ code: "STORE_NOT_A_FOLDER" });
    expect(await readdir(join(outside, "moved"))).toEqual(["a"]);
  });
});

describe("F1 leftovers", () => {
  test("a put that failed leaves no temporary file", async () => {
    const store = folderStore(root);
    await store.put("a", bytes(1));
    const failing = new ReadableStream({
      pull: (controller) => controller.error(new Error("no more")),
    });
    await expect(store.put("b", failing)).rejects.toThrow("no more");
    await expect(store.put("a", bytes(1))).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
    expect(await temporaries()).toEqual([]);
  });

  test("of a crash are never listed, and are swept by the first put a day later", async () => {
    await folderStore(root).put("a", bytes(1));
    const old = join(root, ".pagemark/tmp/crashed~");
    await writeFile(old, bytes(1000));
    expect(await listed(folderStore(root))).toEqual(["a"]);
    await folderStore(root).put("b", bytes(1));
    expect(await temporaries()).toEqual(["crashed~"]);

    const now = Date.now;
    Date.now = () => now() + 24 * 60 * 60 * 1000 + 1000;
    try {
      await folderStore(root).put("c", bytes(1));
    } finally {
      Date.now = now;
    }
    expect(await temporaries()).toEqual([]);
  });

  test("a claim of a key that is never put again goes a day later, and nothing but claims does", async () => {
    await folderStore(root).put("a", bytes(1));
    const claims = join(root, ".pagemark/claims");
    for (const name of ["old", "fresh", "full", "full/one"])
      await mkdir(join(claims, name), { recursive: true });
    for (const name of ["old", "full"]) await utimes(join(claims, name), 1, 1);
    await folderStore(root).put("b", bytes(1));
    expect((await readdir(claims)).sort()).toEqual(["fresh", "full"]);

    const elsewhere = await mkdtemp(join(tmpdir(), "pagemark-"));
    await mkdir(join(elsewhere, "old"));
    await utimes(join(elsewhere, "old"), 1, 1);
    await rm(claims, { recursive: true });
    await symlink(elsewhere, claims);
    await folderStore(root).put("c", bytes(1));
    expect(await readdir(elsewhere)).toEqual(["old"]);
    await rm(elsewhere, { recursive: true });
  });

  test("are told by when they were last touched: one that holds an old backup's time is still being written", async () => {
    await folderStore(root).put("a", bytes(1));
    const busy = join(root, ".pagemark/tmp/busy~");
    await writeFile(busy, bytes(1000));
    await utimes(busy, 1, 1);
    await folderStore(root).put("b", bytes(1));
    expect(await temporaries()).toEqual(["busy~"]);
  });
});

test("a file's time is exact, as others who read it cut off what is less than a millisecond", async () => {
  for (const time of [1, 1_700_000_000_123, 1_700_000_000_001, 4_102_444_800_001]) {
    await folderStore(root).put(`t${time}`, bytes(1), { modified: new Date(time) });
    const { mtimeMs } = await stat(join(root, `t${time}`));
    expect(Math.floor(mtimeMs)).toBe(time);
  }
});

test("an object that becomes shorter while it is read is an error, not a short object", async () => {
  const store = folderStore(root);
  await store.put("a", bytes(3_000_000));
  const stream = await store.get("a");
  await writeFile(join(root, "a"), bytes(1_000_000));
  await expect(readAll(stream)).rejects.toMatchObject({ code: "STORE_IO", at: { offset: 1_000_000 } });
});

test("a reader with a buffer of its own gets the object into it", async () => {
  const object = bytes(1_000_003);
  await folderStore(root).put("a", object);
  const reader = (await folderStore(root).get("a", { offset: 3 })).getReader({ mode: "byob" });
  const chunks: number[] = [];
  let at = 3;
  for (let buffer = new ArrayBuffer(300_000); ; ) {
    const { done, value } = await reader.read(new Uint8Array(buffer, 0, 300_000));
    if (done) break;
    expect(Buffer.compare(value, object.subarray(at, at + value.length))).toBe(0);
    at += value.length;
    chunks.push(value.length);
    buffer = value.buffer;
  }
  expect(chunks).toEqual([300_000, 300_000, 300_000, 100_000]);
});

async function touch(path: string) {
  await writeFile(path, "");
}
