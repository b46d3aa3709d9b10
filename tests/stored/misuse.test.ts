// What callers without types pass: a typed error says what it should have been.
import { memory, memoryStore, pagemark, type Store } from "pagemark";
import { Database } from "pagemark/engine";
import { describe, expect, test } from "vitest";

const store = memoryStore();

async function source() {
  using db = await Database.open();
  db.exec("CREATE TABLE t (a)");
  return memory(db.serialize());
}

const codeOf = async (call: () => unknown) => {
  try {
    await call();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return "none";
};

/** As from JavaScript. */
const untyped = (value: unknown) => value as never;

describe("a moment that is none is refused", () => {
  test.each([5, {}, [], new Date(Number.NaN), () => "now", true])("%s", async (at) => {
    const db = pagemark(await source(), { store, name: "app" });
    await db.backup();
    expect(await codeOf(() => db.restore({ at: untyped(at) }))).toBe("USAGE");
    expect(await codeOf(() => db.download(untyped(at)))).toBe("USAGE");
    expect(await codeOf(() => db.show(untyped(at)))).toBe("USAGE");
    expect(await codeOf(() => db.verify({ at: untyped(at) }))).toBe("USAGE");
  });
});

test("a path where options belong is refused, and restores nothing", async () => {
  const db = pagemark(await source(), { store, name: "app" });
  await db.backup();
  expect(await codeOf(() => db.restore(untyped("app.db")))).toBe("USAGE");
});

test("a path is no source and no store, and a name is text", async () => {
  const image = await source();
  expect(await codeOf(() => pagemark(untyped("app.db"), { store }))).toBe("USAGE");
  expect(await codeOf(() => pagemark(image, { store: "./backups" as unknown as Store }))).toBe("USAGE");
  expect(await codeOf(() => pagemark(image, untyped(undefined)))).toBe("USAGE");
  expect(await codeOf(() => pagemark(image, { store, name: untyped(5) }))).toBe("USAGE");
});
