// What the system refuses, as errors that say what to do. Real refusals where the machine allows making them.
import { execFileSync, spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folder as folderStore, StoreError } from "pagemark";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bodyOf, bytes, cut, listed, readAll } from "../contracts/store-cases/bytes.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "pagemark-"));
});

afterEach(() => rm(root, { recursive: true }));

/** The error of a promise that must be refused: typed, with the path, the cause, and advice. */
async function refusal(promise: Promise<unknown>, path: string): Promise<StoreError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  if (!(error instanceof StoreError)) throw new Error("never");
  expect(error.at.name).toContain(path);
  expect(error.message).toContain(path);
  expect(error.message).toMatch(/: .+; (free|raise|mount|change|move|shorten|make|see) /);
  expect(error.cause).toBeInstanceOf(Error);
  return error;
}

describe("F8 the folder is none", () => {
  test("but a file", async () => {
    const file = join(root, "file");
    await writeFile(file, "text");
    const store = folderStore(file);
    await expect(store.put("a", bytes(1))).rejects.toMatchObject({
      code: "STORE_NOT_A_FOLDER",
      at: { name: file },
      message: expect.stringContaining("move it away"),
    });
    for (const call of [
      () => store.list(""),
      () => store.list("a/"),
      () => store.get("a"),
      () => store.get("a/b"),
      () => store.head("a"),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "STORE_NOT_A_FOLDER" });
    }
  });

  test("but below a file", async () => {
    const file = join(root, "file");
    await writeFile(file, "text");
    const error = await refusal(folderStore(join(file, "store")).put("a", bytes(1)), file);
    expect(error.code).toBe("STORE_NOT_A_FOLDER");
  });
});

describe("F8 a name longer than the file system takes", () => {
  const key = `db/${"x".repeat(256)}`;

  test("cannot be put, which is said before the body is read", async () => {
    let asked = 0;
    const body = new ReadableStream<Uint8Array>({ pull: () => void asked++ }, { highWaterMark: 0 });
    expect((await refusal(folderStore(root).put(key, body), key)).code).toBe("STORE_NAME_TOO_LONG");
    expect((await refusal(folderStore(root).put(`${key}/a`, bytes(1)), key)).code).toBe(
      "STORE_NAME_TOO_LONG",
    );
    expect(asked).toBe(0);
  });

  test("is not there", async () => {
    expect(await folderStore(root).head(key)).toBeUndefined();
    await expect(folderStore(root).get(key)).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    await folderStore(root).delete(key);
  });
});

describe("F11 on a file system of its own", () => {
  const refused = mountingRefused();
  if (refused) console.warn(`skipped, as nothing can be mounted here: ${refused}`);

  test.skipIf(refused)(
    "a full disk: the error says so, nothing is left, and a smaller object fits",
    async () => {
      await mounted("size=64k", async (folder) => {
        const store = folderStore(join(folder, "store"));
        const error = await refusal(store.put("db/a", bodyOf(cut(bytes(200_000), [10_000])).stream), "db/a");
        expect(error.code).toBe("STORE_FULL");
        expect(await readdir(join(folder, "store/.pagemark/tmp"))).toEqual([]);
        expect(await listed(store)).toEqual([]);
        await store.put("db/a", bytes(20_000));
        expect(await readAll(await store.get("db/a"))).toEqual(bytes(20_000));
      });
    },
  );

  test.skipIf(refused)("no room for one more name: the same", async () => {
    await mounted("size=64k,nr_inodes=5", async (folder) => {
      const error = await refusal(folderStore(folder).put("db/ltx/0/a", bytes(1)), folder);
      expect(error.code).toBe("STORE_FULL");
      expect(await listed(folderStore(folder))).toEqual([]);
    });
  });

  test.skipIf(refused)("mounted read-only: objects are read, and neither put nor deleted", async () => {
    await mounted("size=64k", async (folder) => {
      const store = folderStore(folder);
      await store.put("db/a", bytes(10));
      execFileSync("mount", ["-o", "remount,ro", folder]);
      expect((await refusal(store.put("db/b", bytes(1)), "db/b")).code).toBe("STORE_READ_ONLY");
      expect((await refusal(folderStore(folder).put("new/b", bytes(1)), folder)).code).toBe(
        "STORE_READ_ONLY",
      );
      expect((await refusal(folderStore(join(folder, "new")).put("b", bytes(1)), folder)).code).toBe(
        "STORE_READ_ONLY",
      );
      expect((await refusal(store.delete("db/a"), "db/a")).code).toBe("STORE_READ_ONLY");
      await store.delete("db/b");
      expect(await readAll(await store.get("db/a"))).toEqual(bytes(10));
      expect(await listed(store)).toEqual(["db/a"]);
    });
  });

  test.skipIf(refused)(
    "another one mounted inside the store: the error says to make it a store",
    async () => {
      const store = folderStore(root);
      await mkdir(join(root, "db"));
      await mounted(
        "size=64k",
        async () => {
          const error = await refusal(store.put("db/a", bytes(1)), "db/a");
          expect(error).toMatchObject({
            code: "STORE_IO",
            message: expect.stringContaining("a store of its own"),
          });
          expect(await listed(store)).toEqual([]);
        },
        join(root, "db"),
      );
    },
  );
});

describe("a user without the rights", () => {
  // Root may do anything, so as root these become nobody for as long as they last.
  const restore = process.geteuid?.() === 0 ? () => process.seteuid?.(0) : () => {};
  const becomeNobody = process.geteuid?.() === 0 ? () => process.seteuid?.(65_534) : () => {};

  test("to write gets STORE_READ_ONLY, and can still read", async () => {
    await chmod(root, 0o755);
    await mkdir(join(root, "db"));
    await writeFile(join(root, "db/a"), bytes(10));
    await chmod(join(root, "db"), 0o555);
    await chmod(root, 0o555);
    becomeNobody();
    try {
      const store = folderStore(root);
      expect((await refusal(store.put("db/b", bytes(1)), root)).code).toBe("STORE_READ_ONLY");
      expect((await refusal(store.delete("db/a"), root)).code).toBe("STORE_READ_ONLY");
      expect(await readAll(await store.get("db/a"))).toEqual(bytes(10));
      expect(await listed(store)).toEqual(["db/a"]);
    } finally {
      restore();
      await chmod(root, 0o755);
      await chmod(join(root, "db"), 0o755);
    }
  });

  test("to read gets STORE_DENIED, not an empty list", async () => {
    await chmod(root, 0o755);
    await mkdir(join(root, "db"));
    await writeFile(join(root, "db/a"), bytes(10));
    await writeFile(join(root, "b"), bytes(10));
    await chmod(join(root, "b"), 0);
    await chmod(join(root, "db"), 0);
    becomeNobody();
    try {
      const store = folderStore(root);
      for (const call of [
        () => store.get("b"),
        () => store.get("db/a"),
        () => store.head("db/a"),
        () => store.list(""),
      ]) {
        expect((await refusal(call(), root)).code).toBe("STORE_DENIED");
      }
    } finally {
      restore();
      await chmod(join(root, "db"), 0o755);
    }
  });
});

/** Why nothing can be mounted here; empty when it can. */
function mountingRefused(): string {
  if (process.platform !== "linux") return "not Linux";
  // In a namespace of its own, so that trying leaves nothing.
  const { status, stderr, error } = spawnSync("unshare", [
    "--mount",
    "mount",
    "-t",
    "tmpfs",
    "tmpfs",
    "/tmp",
  ]);
  return status === 0 ? "" : String(error?.message ?? stderr).trim() || "no reason given";
}

async function mounted(
  options: string,
  use: (folder: string) => Promise<void>,
  folder = root,
): Promise<void> {
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  try {
    await use(folder);
  } finally {
    execFileSync("umount", ["--lazy", folder]);
  }
}
