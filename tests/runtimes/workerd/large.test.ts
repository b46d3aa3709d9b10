// A Durable Object has 128 MB: what a transaction of 200 MB takes of it.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as engine from "pagemark/engine";
import { expect, test } from "vitest";
import { largeWork } from "../../engine/large.ts";

/** In MB; the same memory is enough for more. */
const SIZE = 64;

test(`${SIZE} MB inserted, indexed, rolled back, restored, vacuumed and loaded take less than 48 MiB of wasm memory`, async () => {
  const stub = env.OBJECT.get(env.OBJECT.idFromName("large"));
  await runInDurableObject(stub, async (_, { storage }) => {
    const store = engine.durableObjectStore(storage);
    const steps = await largeWork(engine, store, SIZE, (step, is, expected) =>
      expect(is, step).toEqual(expected),
    );
    console.log(`${SIZE} MB: ${JSON.stringify(steps)}`);
    expect(Object.values(steps).at(-1)?.mib).toBeLessThan(48);
    const left = ["pagemark_scratch", "pagemark_staging"].map((table) =>
      storage.sql.exec(`SELECT count(*) AS n FROM ${table}`).one(),
    );
    expect(left).toEqual([{ n: 0 }, { n: 0 }]);
  });
}, 600_000);
