// What a transaction of 200 MB takes of memory: tests/runtimes/workerd/large.test.ts does the same in workerd.
import * as engine from "pagemark/engine";
import { expect, test } from "vitest";
import { largeWork } from "./large.ts";
import { SqlStorage } from "./sql-storage.ts";

/** In MB: twice what memory may take. */
const SIZE = 100;

test(`${SIZE} MB inserted, indexed, rolled back, restored, vacuumed and loaded take less than 48 MiB of wasm memory`, async () => {
  const storage = new SqlStorage();
  const store = engine.durableObjectStore(storage);
  const steps = await largeWork(engine, store, SIZE, (step, is, expected) =>
    expect(is, step).toEqual(expected),
  );
  console.log(`${SIZE} MB: ${JSON.stringify(steps)}`);
  expect(Object.values(steps).at(-1)?.mib).toBeLessThan(48);
  expect(storage.value("SELECT count(*) FROM pagemark_scratch")).toBe(0);
  expect(storage.value("SELECT count(*) FROM pagemark_staging")).toBe(0);
}, 600_000);
