// The entry that carries its wasm; and that all entries are alike.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as inline from "pagemark/inline";
import { expect, test } from "vitest";
import { runSql, tempFolder } from "../support/temp.ts";

const path = join(tempFolder(), "app.db");
runSql(path, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");

test("the inline entry backs up and dumps with what it carries, and names what needs files", async () => {
  const db = inline.pagemark(inline.memory(readFileSync(path)), { name: "app", store: inline.memoryStore() });
  expect((await db.backup()).kind).toBe("full");
  expect(await new Response(await db.dump()).text()).toContain("CREATE TABLE t");
  for (const name of ["file", "folder", "damagedFile", "fs"] as const)
    expect(() => Reflect.get(inline, name)("app.db")).toThrow(
      expect.objectContaining({ code: "RUNTIME_UNSUPPORTED" }),
    );
});

test("every entry exports the same names", async () => {
  const node = Object.keys(await import("pagemark"));
  const { useWasm: _, ...slim } = await import("pagemark/slim");
  for (const entry of [inline, slim]) expect(new Set(Object.keys(entry))).toEqual(new Set(node));
  const engine = Object.keys(await import("pagemark/engine"));
  for (const entry of [await import("pagemark/engine/inline"), await import("pagemark/engine/slim")])
    expect(new Set(Object.keys(entry))).toEqual(new Set(engine));
  const vault = Object.keys(await import("pagemark/vault"));
  for (const entry of [await import("pagemark/vault/inline"), await import("pagemark/vault/slim")])
    expect(new Set(Object.keys(entry))).toEqual(new Set(vault));
});
