// Stores made of several: what every store does, where objects go, and what must be there before anything is restored.
import { join } from "node:path";
import {
  audit,
  encrypted,
  file,
  folder,
  localities,
  memoryStore,
  openStore,
  pagemark,
  type Store,
} from "pagemark";
import { describe, expect, test } from "vitest";
import { storeContract } from "../contracts/store.ts";
import { bytes, listed, readAll } from "../contracts/store-cases/bytes.ts";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

type Stores = Record<string, Store>;
const three = () => ({ default: memoryStore(), "region=eu": memoryStore(), "az=1": memoryStore() });
const joined = (stores: Stores, writer?: string, only?: string) =>
  localities(
    Object.entries(stores).map(([locality, store]) => ({ locality, store })),
    { writer, only },
  );

const temp = tempFolder();
const app = join(temp, "app.db");
runSql(app, tableSql("orders", 30));
let changes = 0;
async function backUp(store: Store): Promise<string> {
  runSql(app, `UPDATE orders SET note = 'change ${++changes}' WHERE id = 1`);
  return (await pagemark(file(app), { store, name: "app" }).backup()).id;
}
async function restored(store: Store, at?: string): Promise<number> {
  return (await readAll(await pagemark(file(app), { store, name: "app" }).download(at))).length;
}
async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error) => error.code,
  );
}
/** The same objects in a store of its own. */
async function copied(
  from: Store,
  isWanted = (_key: string) => true,
  to: Store = memoryStore(),
): Promise<Store> {
  for (const key of await listed(from))
    if (isWanted(key)) await to.put(key, await readAll(await from.get(key)));
  return to;
}

storeContract("localities(), the default", async () => ({ store: joined(three()) }));
storeContract("localities(), a region", async () => ({ store: joined(three(), "region=eu,az=2") }));
storeContract("localities(), folders", async () => ({
  store: joined({ "region=eu": folder(join(tempFolder(), "a")), default: folder(join(tempFolder(), "b")) }),
}));

test("a list of several stores is one list, whatever the length of its pages", async () => {
  const stores = three();
  const keys = Array.from({ length: 40 }, (_, at) => `app/${String((at * 7) % 40).padStart(2, "0")}`);
  const all: Store[] = Object.values(stores);
  for (const [at, key] of keys.entries()) await all[at % 3]?.put(key, bytes(1));
  await stores.default.put("app/07x", bytes(1));
  await stores["az=1"].put("app/07x", bytes(1));
  await stores.default.put(
    "%localities/0000000000000001/0000000000000001-0000000000000001-full-default",
    bytes(0),
  );
  for (const limit of [1, 2, 3, 7, 41, 1000])
    expect(await listed(joined(stores), "", { limit })).toEqual([...keys, "app/07x"].sort());
});

describe("where backups go", () => {
  test("B13 B15 to the store of the smallest place that fits the writer, and ids to the default", async () => {
    for (const [writer, wanted] of [
      ["region=eu,az=1", "az=1"],
      ["region=eu,az=2", "region=eu"],
      ["region=mars", "default"],
      ["default", "default"],
    ] as const) {
      const stores: Stores = three();
      await backUp(joined(stores, writer));
      for (const [locality, store] of Object.entries(stores)) {
        const keys = await listed(store);
        expect(keys.some((key) => key.startsWith("app/"))).toBe(locality === wanted);
        const accounts = keys.filter((key) => key.startsWith("%localities/"));
        expect(accounts.length).toBe(locality === "default" ? 1 : 0);
      }
      const { problems } = await audit(joined(stores));
      expect(problems).toEqual([]);
    }
  });

  test("B23 a writer that says nothing leaves a database where it is", async () => {
    const stores = three();
    await backUp(joined(stores, "az=1"));
    await backUp(joined(stores));
    expect(await listed(stores.default, "app/")).toEqual([]);
    expect((await listed(stores["az=1"], "app/")).filter((key) => key.endsWith(".json")).length).toBe(2);
    expect(await restored(joined(stores))).toBeGreaterThan(0);
  });

  test("B23 what else has rows of a database goes where that is: backups of tables, and what a restore replaces", async () => {
    const stores = three();
    await backUp(joined(stores, "region=eu"));
    const database = (name: string) => pagemark(file(app), { store: joined(stores), name });
    await database("app").backup({ tables: ["orders"] });
    await database("app.v1.replaced").backup();
    expect(await listed(stores.default, "app")).toEqual([]);
    await database("apple.orders").backup();
    expect(await listed(stores["region=eu"], "apple")).toEqual([]);
  });

  test("B14 stores without a default, with two, or with two of one locality are refused before anything is done", async () => {
    const [one, two] = [memoryStore(), memoryStore()];
    const code = (...tags: string[]) =>
      codeOf(backUp(localities(tags.map((locality, at) => ({ locality, store: at === 0 ? one : two })))));
    expect(await code("region=eu", "az=1")).toBe("LOCALITY_DEFAULT");
    expect(await code("default", "default")).toBe("LOCALITY_TWICE");
    expect(await code("default", "region=eu,az=1")).toBe("LOCALITY_SYNTAX");
    expect(await code("default", "eu")).toBe("LOCALITY_SYNTAX");
    expect(await codeOf(backUp(joined(three(), "region")))).toBe("LOCALITY_SYNTAX");
    expect(await codeOf(restored(joined(three(), undefined, "us")))).toBe("LOCALITY_UNKNOWN");
    expect([...(await listed(one)), ...(await listed(two))]).toEqual([]);
  });

  test("keys of one store never lie in another", () => {
    expect(() => encrypted(joined(three()), { passphrases: ["secret"] })).toThrow(/each of the stores/);
  });
});

describe("what must be there", () => {
  test("B19 any object that is lost is named, and nothing is read; the audit says which", async () => {
    const stores = three();
    await backUp(joined(stores, "region=eu"));
    await backUp(joined(stores, "region=eu"));
    const keys = await listed(stores["region=eu"]);
    expect(keys.length).toBe(6);
    for (const lost of keys) {
      const part = await copied(stores["region=eu"], (key) => key !== lost);
      const store = joined({ ...stores, "region=eu": part });
      const error = await restored(store).catch((cause) => cause);
      expect(error).toMatchObject({ code: "LOCALITY_LOST", at: { name: lost } });
      expect(error.message).toContain(lost);
      const { problems } = await audit(store);
      expect(problems[0]).toMatchObject({ kind: "lost", locality: "region=eu", keys: [lost] });
      expect((await pagemark(file(app), { store, name: "app" }).verify()).problems[0]?.code).toBe(
        "LOCALITY_LOST",
      );
    }
  });

  test("B19 a store that was not given is named", async () => {
    const stores = three();
    await backUp(joined(stores, "region=eu"));
    const { "region=eu": _, ...others } = stores;
    const error = await restored(joined(others)).catch((cause) => cause);
    expect(error).toMatchObject({ code: "LOCALITY_LOST" });
    expect(error.message).toContain("region=eu");
    await backUp(joined(stores, "default"));
    expect((await restored(joined(others)).catch((cause) => cause)).message).toMatch(
      /no store of region=eu was given/,
    );
  });

  test("B17 stores that were moved or merged restore", async () => {
    const stores = three();
    await backUp(joined(stores, "region=eu"));
    await backUp(joined(stores, "az=1"));
    const size = await restored(joined(stores));
    const moved = {
      default: await copied(stores.default),
      "az=9": await copied(stores["az=1"]),
      "region=eu": await copied(stores["region=eu"]),
    };
    expect(await restored(joined(moved))).toBe(size);
    const merged = await copied(stores["az=1"], undefined, await copied(stores["region=eu"]));
    expect(await restored(joined({ "region=eu": merged, default: stores.default }))).toBe(size);
    const one = await copied(merged, undefined, await copied(stores.default));
    expect(await restored(joined({ default: one }))).toBe(size);
    expect(await restored(one)).toBe(size);
    const { problems } = await audit(joined({ default: one }));
    expect(problems.map(({ kind }) => kind)).toEqual(["moved"]);
  });

  test("B18 a part that was split over two stores is refused with what is not beside the rest", async () => {
    const stores = three();
    await backUp(joined(stores, "region=eu"));
    await backUp(joined(stores, "region=eu"));
    const isLtx = (key: string) => key.endsWith(".ltx");
    const one = await copied(stores["region=eu"], (key) => !isLtx(key));
    const two = await copied(stores["region=eu"], isLtx);
    const error = await restored(joined({ default: stores.default, "region=eu": one, "az=1": two })).catch(
      (cause) => cause,
    );
    expect(error).toMatchObject({ code: "LOCALITY_LOST" });
    for (const key of await listed(two)) expect(error.message).toContain(key);
  });

  test("B21 backups made with one store and with several go on with each other", async () => {
    const stores = three();
    await backUp(stores.default);
    await backUp(joined(stores, "region=eu"));
    const newest = await backUp(joined(stores));
    // Though what it is made of is read from the default store, too.
    expect((await listed(stores["region=eu"], "app/")).length).toBe(6);
    const found = await pagemark(file(app), { store: joined(stores), name: "app" }).verify();
    expect([found.problems, found.sound.length]).toEqual([[], 3]);
    expect(found.sound.map(({ kind }) => kind).filter((kind) => kind === "incremental").length).toBe(2);
    expect(await restored(joined(stores), newest)).toBeGreaterThan(0);
    const other = three();
    await backUp(joined(other, "region=eu"));
    await backUp(other["region=eu"]);
    expect(await restored(joined(other))).toBeGreaterThan(0);
    const { problems } = await audit(joined(other));
    expect(problems.map(({ kind }) => kind)).toEqual(["unaccounted"]);
  });

  test("B22 reading one locality refuses what lies in another", async () => {
    const stores = three();
    await backUp(joined(stores, "region=eu"));
    expect(await restored(joined(stores, undefined, "eu"))).toBeGreaterThan(0);
    expect(await codeOf(restored(joined(stores, undefined, "az=1")))).toBe("LOCALITY_LOST");
    await backUp(joined(stores, "az=1"));
    const error = await restored(joined(stores, undefined, "eu")).catch((cause) => cause);
    expect(error).toMatchObject({ code: "LOCALITY_ELSEWHERE" });
    expect(error.message).toContain("az=1");
  });

  test("backups that are deleted are accounted for no more", async () => {
    const stores = three();
    for (let times = 0; times < 3; times++)
      await pagemark(file(app), { store: joined(stores, "region=eu"), name: "app" }).backup({ full: true });
    await pagemark(file(app), { store: joined(stores), name: "app" }).prune({ keepLast: 1 });
    expect((await listed(stores.default)).length).toBe(1);
    expect((await audit(joined(stores))).problems).toEqual([]);
    expect(await restored(joined(stores))).toBeGreaterThan(0);
  });

  test("two databases of one name are told from copies", async () => {
    const stores = three();
    const other = join(temp, "other.db");
    runSql(other, tableSql("orders", 3000));
    await backUp(stores["region=eu"]);
    await pagemark(file(other), { store: stores["az=1"], name: "app" }).backup({ note: "another" });
    expect(await codeOf(restored(joined(stores)))).toBe("LOCALITY_CONFLICT");
  });
});

describe("URLs", () => {
  const opened = (...places: string[]) => codeOf(openStore(places).list("", {}));

  test("B16 a locality is encoded once; other parameters stay", async () => {
    const [one, two] = [join(temp, "one"), join(temp, "two")];
    expect(await opened(`${one}?PAGEMARK_LOCALITY=default`, `${two}?COCKROACH_LOCALITY=region%3Deu`)).toBe(
      "done",
    );
    for (const bad of ["region=eu", "region%253Deu", "region%3Deu+1", "%", "%ff%3Da"])
      expect(await opened(`${one}?PAGEMARK_LOCALITY=default`, `${two}?PAGEMARK_LOCALITY=${bad}`)).toBe(
        "LOCALITY_ENCODING",
      );
    expect(await opened(`${one}?PAGEMARK_LOCALITY=region%3Deu%2Caz%3D1`)).toBe("LOCALITY_SYNTAX");
    expect(await opened(`${one}?PAGEMARK_LOCALITY=default`, two)).toBe("LOCALITY_SYNTAX");
    expect(await opened(`${one}?PAGEMARK_LOCALITY=region%3Deu`)).toBe("LOCALITY_DEFAULT");
    expect(() => openStore(`${one}?PAGEMARK_LOCALITY=default&COCKROACH_LOCALITY=default`)).toThrow(/twice/);
    const env = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "a secret" };
    const store = openStore(["s3://bucket/a?PAGEMARK_LOCALITY=default&region=eu-central-1"], { env });
    expect(store.description).toContain("bucket");
  });

  test("B20 the default need not be first, and is said to be taken so", async () => {
    const notes: string[] = [];
    const places = [`${temp}/eu?PAGEMARK_LOCALITY=region%3Deu`, `${temp}/all?PAGEMARK_LOCALITY=default`];
    const store = openStore(places, { locality: "region=us", onNote: (note) => notes.push(note) });
    await backUp(store);
    expect(notes).toEqual([`${temp}/all is the default store and is taken for the first`]);
    expect((await listed(folder(join(temp, "all")), "app/")).length).toBe(3);
  });

  test("B16 no URL makes more than an error", async () => {
    const alphabet = [
      "%",
      "%3D",
      "=",
      "&",
      "?",
      "#",
      "é",
      "\ud800",
      "\0",
      "a",
      "region",
      ",",
      "%C3",
      "default",
      "PAGEMARK_LOCALITY=",
    ];
    const times = Number(process.env.PAGEMARK_FUZZ ?? 300);
    let seed = 7;
    const next = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    for (let time = 0; time < times; time++) {
      const text = Array.from({ length: next(8) }, () => alphabet[next(alphabet.length)]).join("");
      const store = () =>
        openStore([`s3://bucket/x?PAGEMARK_LOCALITY=${text}`, `${temp}/never?PAGEMARK_LOCALITY=default`], {
          env: {},
        });
      const code = await codeOf((async () => (await store()).list(""))());
      expect(code).toMatch(/^(USAGE|LOCALITY_[A-Z]+|STORE_[A-Z_]+)$/);
    }
  });
});
