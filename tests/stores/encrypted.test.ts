// A store that encrypts: what every store does, what its owner sees, wrong keys, each byte flipped, and the age command.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import {
  addKey,
  copy,
  encrypted,
  file,
  folder,
  listKeys,
  memoryStore,
  pagemark,
  removeKey,
  type Store,
} from "pagemark";
import { describe, expect, test } from "vitest";
import { unguarded } from "../../js/dist/stores/guarded.js";
import { storeContract } from "../contracts/store.ts";
import { bytes, listed, readAll } from "../contracts/store-cases/bytes.ts";
import { runSql, tempFolder } from "../support/temp.ts";

const identity = await generateX25519Identity();
const keys = { identities: [identity] };
const KiB64 = 64 * 1024;

storeContract("encrypted", async () => ({ store: encrypted(memoryStore(), keys) }), { isSlow: true });

describe("an encrypted store", () => {
  test("gives any range, also at the ends of its chunks", async () => {
    const store = encrypted(memoryStore(), keys);
    for (const size of [0, 1, KiB64 - 1, KiB64, KiB64 + 1, 2 * KiB64, 3 * KiB64 + 5]) {
      const key = `of-${size}`;
      const object = bytes(size, 3);
      await store.put(key, object);
      expect((await store.head(key))?.size).toBe(size);
      for (const offset of [0, 1, KiB64 - 1, KiB64, KiB64 + 1, 2 * KiB64]) {
        for (const length of [undefined, 0, 1, KiB64, KiB64 + 1]) {
          const read = await readAll(
            await store.get(key, { offset, ...(length !== undefined && { length }) }),
          );
          expect(
            Buffer.compare(read, object.slice(offset, length === undefined ? undefined : offset + length)),
          ).toBe(0);
        }
      }
    }
  });

  test("F10 a wrong key is an error of its own, for every call, and nothing is changed", async () => {
    const under = unguarded(memoryStore());
    await encrypted(under, keys).put("a", bytes(10));
    const before = await listed(under);
    for (const wrong of [
      { identities: [await generateX25519Identity()] },
      { passphrases: ["guess"] },
      {},
      { recipients: [await identityToRecipient(identity)] },
    ]) {
      const store = encrypted(under, wrong);
      for (const call of [
        () => store.put("b", bytes(1)),
        () => store.get("a"),
        () => store.head("a"),
        () => store.list(""),
        () => store.delete("a"),
      ])
        await expect(call()).rejects.toMatchObject({ code: "KEY_WRONG" });
    }
    expect(await listed(under)).toEqual(before);
  });

  test("F10 a store that is encrypted refuses whoever has no key: uploads, backups and copies, too", async () => {
    const [bytesOfIt, plain] = [memoryStore(), memoryStore()];
    await encrypted(bytesOfIt, keys).put("a", bytes(10));
    const own = unguarded(bytesOfIt);
    // As somebody writes who has a class of their own.
    const handMade: Store = Object.freeze({
      layout: "folder",
      description: "mine",
      put: own.put.bind(own),
      get: own.get.bind(own),
      head: own.head.bind(own),
      list: own.list.bind(own),
      delete: own.delete.bind(own),
    });
    const path = join(tempFolder(), "app.db");
    runSql(path, "CREATE TABLE t (a)");
    await pagemark(file(path), { name: "app", store: plain }).backup();
    for (const call of [
      () => bytesOfIt.put("b", bytes(1)),
      () => bytesOfIt.list(""),
      async () => bytesOfIt.uploads?.start("b"),
      ...[bytesOfIt, handMade].flatMap((store) => [
        () => pagemark(file(path), { name: "app", store }).backup(),
        () => pagemark(file(path), { name: "app", store }).show(),
        () => copy(plain, store),
        () => copy(store, plain),
      ]),
    ])
      await expect(call()).rejects.toMatchObject({ code: "KEY_WRONG" });
    expect(await listed(own)).toEqual(["%keys/first.age", "a"]);
  });

  test("F10 a store with plain objects is not taken for one", async () => {
    const under = unguarded(memoryStore());
    await under.put("a", bytes(10));
    await expect(encrypted(under, keys).list("")).rejects.toMatchObject({ code: "STORE_NOT_ENCRYPTED" });
    await expect(encrypted(under, keys).put("b", bytes(1))).rejects.toMatchObject({
      code: "STORE_NOT_ENCRYPTED",
    });
  });

  test("keys are added without writing anything anew, and removed, but not the last", async () => {
    const under = unguarded(memoryStore());
    const second = await generateX25519Identity();
    await encrypted(under, keys).put("a", bytes(1000));
    const sealed = await readAll(await under.get("a"));
    const [name = ""] = await addKey(under, keys, { recipients: [await identityToRecipient(second)] });
    await addKey(under, { identities: [second] }, { passphrases: ["correct horse"] });
    for (const each of [keys, { identities: [second] }, { passphrases: ["wrong", "correct horse"] }])
      expect(await readAll(await encrypted(under, each).get("a"))).toEqual(bytes(1000));
    expect(await readAll(await under.get("a"))).toEqual(sealed);
    expect((await listKeys(under)).map(({ kind }) => kind).sort()).toEqual([
      "passphrase",
      "recipients",
      "recipients",
    ]);
    await removeKey(under, name);
    await expect(encrypted(under, { identities: [second] }).get("a")).rejects.toMatchObject({
      code: "KEY_WRONG",
    });
    expect(await readAll(await encrypted(under, keys).get("a"))).toEqual(bytes(1000));
    for (const each of await listKeys(under))
      if (each.kind === "passphrase") await removeKey(under, each.name);
    await expect(removeKey(under, "first.age")).rejects.toMatchObject({ code: "KEY_NEEDED" });
    await expect(addKey(under, { passphrases: ["x"] }, { passphrases: ["y"] })).rejects.toMatchObject({
      code: "KEY_WRONG",
    });
  }, 30_000);

  test("F6 of processes that begin it at once each reads what the others wrote", async () => {
    const under = unguarded(memoryStore());
    await Promise.all(
      Array.from({ length: 8 }, (_, n) => encrypted(under, keys).put(`o${n}`, bytes(100, n))),
    );
    for (let n = 0; n < 8; n++)
      expect(await readAll(await encrypted(under, keys).get(`o${n}`))).toEqual(bytes(100, n));
    expect(await listKeys(under)).toHaveLength(1);
  });

  test("F2 F10 each byte flipped, cut off or added is noticed", async () => {
    const under = unguarded(memoryStore());
    await encrypted(under, keys).put("a", bytes(10));
    const sealed = await readAll(await under.get("a"));
    const readWith = async (changed: Uint8Array) => {
      await under.delete("a");
      await under.put("a", changed);
      return readAll(await encrypted(under, keys).get("a"));
    };
    const lengths = Array.from({ length: sealed.length }, (_, n) => sealed.slice(0, n));
    const flipped = lengths.map((_, n) =>
      sealed.map((byte, at) => (at === n ? byte ^ (1 << (n % 8)) : byte)),
    );
    for (const changed of [
      ...flipped,
      ...lengths.filter((_, n) => n % 9 === 0 || n > 183),
      new Uint8Array([...sealed, 0]),
    ])
      await expect(readWith(changed)).rejects.toMatchObject({ code: "OBJECT_DAMAGED" });
    expect(await readWith(sealed)).toEqual(bytes(10));
  }, 60_000);

  test("F2 F10 chunks that are cut off, swapped, or another's are noticed in any range", async () => {
    const under = unguarded(memoryStore());
    const object = bytes(3 * KiB64 + 10);
    await encrypted(under, keys).put("a", object);
    const sealed = await readAll(await under.get("a"));
    const chunk = (n: number) => sealed.slice(184 + n * (KiB64 + 16), 184 + (n + 1) * (KiB64 + 16));
    const head = sealed.slice(0, 184);
    const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
    for (const changed of [
      joined(head, chunk(0), chunk(1), chunk(2)),
      joined(head, chunk(0), chunk(2), chunk(1), chunk(3)),
      joined(head, chunk(1), chunk(2), chunk(3)),
      joined(head, chunk(0), chunk(1), chunk(2), chunk(3), chunk(3)),
    ]) {
      await under.delete("a");
      await under.put("a", changed);
      await expect(encrypted(under, keys).get("a").then(readAll)).rejects.toMatchObject({
        code: "OBJECT_DAMAGED",
      });
    }
    await expect(
      encrypted(under, keys)
        .get("a", { offset: KiB64 * 3 })
        .then(readAll),
    ).rejects.toMatchObject({ code: "OBJECT_DAMAGED" });
  });
});

describe("backups in an encrypted folder", () => {
  test("F10 are restored and verified, and the folder shows nothing of what is in them", async () => {
    const path = join(tempFolder(), "app.db");
    const target = tempFolder();
    const canary = "canary-in-the-coal-mine";
    runSql(
      path,
      `CREATE TABLE ${canary.replaceAll("-", "_")} (a); INSERT INTO canary_in_the_coal_mine VALUES ('${canary}')`,
    );
    const db = pagemark(file(path), { name: "app", store: encrypted(folder(target), keys) });
    await db.backup();
    runSql(path, `INSERT INTO canary_in_the_coal_mine VALUES ('${canary} again')`);
    const second = await db.backup();
    expect(second.kind).toBe("incremental");
    expect(await db.verify()).toMatchObject({ sound: { length: 2 }, problems: [] });
    expect(Buffer.compare(await readAll(await db.download()), readFileSync(path))).toBe(0);
    const files = readdirSync(target, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    expect(files.length).toBe(7);
    for (const each of files) {
      const text = readFileSync(join(each.parentPath, each.name), "latin1");
      expect(text).not.toMatch(/canary|SQLite format|bookmark|AGE-SECRET/);
      expect(text).toMatch(/^age-encryption\.org\/v1\n/);
    }
    await openedByAge(target, path);
  }, 30_000);
});

/** What Debian's `age` makes of the store, with the key of its user. */
async function openedByAge(target: string, path: string) {
  if (!existsSync("/usr/bin/age")) return;
  const age = (key: string, input: string) => {
    const identityFile = join(tempFolderOf, `${n++}.txt`);
    writeFileSync(identityFile, `${key}\n`);
    const { status, stdout, stderr } = spawnSync("/usr/bin/age", ["-d", "-i", identityFile, input]);
    expect(String(stderr)).toBe("");
    expect(status).toBe(0);
    return stdout;
  };
  const vault = String(age(identity, join(target, "%keys/first.age"))).trim();
  const store: Store = encrypted(folder(target), keys);
  for (const key of await listed(store)) {
    expect(Buffer.compare(age(vault, join(target, key)), await readAll(await store.get(key)))).toBe(0);
  }
  expect(existsSync(path)).toBe(true);
}

const tempFolderOf = tempFolder();
let n = 0;
