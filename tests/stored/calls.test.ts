// How often each public call lists the store, and how many objects it gets: what is listed or loaded twice shows here.
import { Backups, databasesIn, memory, memoryStore, pagemark, type Store } from "pagemark";
import { Database } from "pagemark/engine";
import { beforeAll, expect, test } from "vitest";

/** A store that counts calls. */
function counting(store: Store): { store: Store; take(): { list: number; get: number } } {
  let [list, get] = [0, 0];
  const counted = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "list") list++;
        if (name === "get") get++;
        return value.apply(target, args);
      };
    },
  });
  const take = () => {
    const counts = { list, get };
    [list, get] = [0, 0];
    return counts;
  };
  return { store: counted, take };
}

const { store, take } = counting(memoryStore());
let image: Uint8Array;
let backups: Backups;

beforeAll(async () => {
  using live = await Database.open();
  live.exec("CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(30000))");
  for (let n = 0; n < 3; n++) {
    live.exec("INSERT INTO t VALUES (randomblob(3000))");
    image = live.serialize();
    await pagemark(memory(image), { name: "app", store }).backup({ sameDatabase: true });
  }
  backups = await Backups.open("app", store);
  take();
});

/** Of a chain of three: three records, three LTX files, three fingerprint files. */
const CALLS: [what: string, call: () => Promise<unknown>, list: number, get: number][] = [
  ["list()", () => backups.list(), 1, 3],
  ["find()", () => backups.find(), 1, 3],
  ["find(TXID)", () => backups.find("0000000000000002"), 1, 3],
  ["show()", () => backups.show(), 1, 11],
  ["download()", async () => drain((await backups.download()).body), 1, 6],
  ["diff()", () => backups.diff("0000000000000001"), 1, 18],
  ["dump()", async () => drain(await backups.dump()), 1, 14],
  ["differences()", () => backups.differences(memoryPages()), 1, 6],
  ["verify()", () => backups.verify(), 1, 12],
  ["removalKeys()", () => backups.removalKeys(new Set()), 1, 3],
  ["databasesIn()", () => databasesIn(store), 1, 1],
  ["backup()", () => backups.create(memory(image)), 1, 6],
  ["backup() once more", () => backups.create(memory(image)), 1, 2],
];

test.each(CALLS)("%s lists the store once", async (what, call, list, get) => {
  take();
  await call();
  expect({ what, ...take() }).toEqual({ what, list, get });
});

function memoryPages() {
  const pageSize = 4096;
  const read = async (first: number, into: Uint8Array) => {
    into.set(image.subarray((first - 1) * pageSize, (first - 1) * pageSize + into.length));
  };
  return { pageSize, pageCount: image.length / pageSize, read };
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}
