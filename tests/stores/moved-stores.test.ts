// Backups copied from a folder into an R2 bucket, and back, object by object: they are the same backups there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file, folder as folderStore, pagemark, r2, type Store } from "pagemark";
import { expect, test } from "vitest";
import { listed, readAll } from "../contracts/store-cases/bytes.ts";
import { tempFolder } from "../support/temp.ts";
import { buckets } from "./r2-bucket.ts";

const folder = tempFolder();
const newBucket = buckets();

/** Adds a row to a database of some pages. */
function change(path: string): Buffer {
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (hex(randomblob(9000)))");
  db.close();
  return readFileSync(path);
}

async function copy(from: Store, to: (key: string, bytes: Uint8Array) => Promise<unknown>): Promise<void> {
  for (const key of await listed(from)) await to(key, await readAll(await from.get(key)));
}

test.each(["folder", "bucket"])(
  "E6 backups that were copied out of a %s are restored, verified and added to",
  async (from) => {
    const bucket = await newBucket();
    const stores = { folder: folderStore(join(folder, `from-${from}`)), bucket: r2(bucket) };
    const [old, moved] = from === "folder" ? [stores.folder, stores.bucket] : [stores.bucket, stores.folder];
    const path = join(folder, `${from}.db`);
    const states: Buffer[] = [];
    const before = pagemark(file(path), { name: "app", store: old });
    const ids: string[] = [];
    for (let round = 0; round < 3; round++) {
      states.push(change(path));
      ids.push((await before.backup()).id);
    }
    await copy(
      old,
      from === "folder"
        ? (key, bytes) => bucket.put(key, bytes)
        : (key, bytes) => stores.folder.put(key, bytes),
    );

    const after = pagemark(file(path), { name: "app", store: moved });
    states.push(change(path));
    const added = await after.backup();
    expect(added.kind).toBe("incremental");
    ids.push(added.id);
    for (const [index, id] of ids.entries()) {
      const body = await after.download(id);
      expect(
        Buffer.compare(Buffer.from(await new Response(body).arrayBuffer()), states[index] as Buffer),
      ).toBe(0);
    }
    const { sound, problems } = await after.verify();
    expect([sound.length, problems]).toEqual([4, []]);
  },
);
