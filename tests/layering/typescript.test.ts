import { describe, expect, test } from "vitest";
import { read } from "./files.ts";
import { tsViolations } from "./typescript.ts";

const violations = (path: string, ...specifiers: string[]) =>
  tsViolations(new Map([[path, specifiers.map((from) => `import { a } from "${from}";`).join("\n")]]));

describe("layers of the TypeScript package", () => {
  test("every file in js/src keeps to the layers", () => {
    expect(tsViolations(read("js/src", ".ts"))).toEqual([]);
  });

  test("lower layers are allowed, higher ones are not", () => {
    expect(violations("jobs/backup.ts", "../stores/store.ts", "../core/ltx.ts", "./progress.ts")).toEqual([]);
    expect(violations("stores/s3.ts", "../jobs/backup.ts")).toEqual([
      "js/src/stores/s3.ts: stores (layer 1) imports jobs/backup.ts (layer 2)",
    ]);
    expect(violations("core/load.ts", "../errors/error.ts")).toEqual([]);
    expect(violations("errors/error.ts", "../core/load.ts")).toHaveLength(1);
  });

  test("what drivers and the command line share of Node knows nothing above it", () => {
    expect(violations("stores/fs-put.ts", "../node/new-file.ts")).toEqual([]);
    expect(violations("node/temporary-file.ts", "../errors/source-error.ts")).toEqual([]);
    expect(violations("node/new-file.ts", "../stores/fs.ts")).toHaveLength(1);
    expect(violations("node/new-file.ts", "../core/free.ts")).toHaveLength(1);
  });

  test("imports of types, re-exports and dynamic imports count too", () => {
    for (const text of [
      'import type { A } from "../jobs/backup.ts";',
      'export * from "../jobs/backup.ts";',
      'const a = await import("../jobs/backup.ts");',
      'import {\n  a,\n  b,\n} from "../jobs/backup.ts";',
      'import "../jobs/backup.ts";',
    ]) {
      expect(tsViolations(new Map([["stores/s3.ts", text]])), text).toHaveLength(1);
    }
    expect(tsViolations(new Map([["stores/s3.ts", '// import "../jobs/backup.ts";']]))).toEqual([]);
  });

  test("sources, stores and formats know nothing of each other", () => {
    expect(violations("sources/file.ts", "../stores/store.ts")).toHaveLength(1);
    expect(violations("formats/tar.ts", "../sources/source.ts")).toHaveLength(1);
  });

  test("a driver imports its folder's interface and its own parts, not another driver", () => {
    expect(violations("stores/s3.ts", "./store.ts", "./s3-sign.ts")).toEqual([]);
    expect(violations("stores/s3.ts", "./fs.ts")).toHaveLength(1);
  });

  test("jobs know interfaces only", () => {
    expect(violations("jobs/backup.ts", "../stores/fs.ts")).toHaveLength(1);
    expect(violations("cli/places.ts", "../stores/fs.ts")).toEqual([]);
    expect(violations("engine/database.ts", "../stores/fs.ts")).toHaveLength(1);
  });

  test("the engine uses jobs, and nothing but its users uses the engine", () => {
    expect(violations("engine/database.ts", "../jobs/backup.ts", "../sources/source.ts")).toEqual([]);
    expect(violations("jobs/verify.ts", "../engine/database.ts")).toHaveLength(1);
    expect(violations("cli/import.ts", "../engine/database.ts")).toEqual([]);
  });

  test("node: is imported only by files named for Node", () => {
    expect(violations("formats/gzip.ts", "node:zlib")).toHaveLength(1);
    for (const path of [
      "formats/gzip.node.ts",
      "entry/node.ts",
      "entry/engine.node.ts",
      "sources/file-lock.ts",
      "node/errno.ts",
      "stores/fs.ts",
      "cli/main.ts",
    ]) {
      expect(violations(path, "node:fs"), path).toEqual([]);
    }
    for (const path of [
      "entry/browser.ts",
      "entry/engine.browser.ts",
      "entry/engine.workerd.ts",
      "engine/database.ts",
    ]) {
      expect(violations(path, "node:fs"), path).toHaveLength(1);
    }
  });

  test("cloudflare: is imported only by the Worker and files named for workerd", () => {
    expect(violations("vault/list.ts", "cloudflare:workers")).toHaveLength(1);
    expect(violations("worker/database.ts", "cloudflare:workers")).toEqual([]);
    expect(violations("sources/d1.workerd.ts", "cloudflare:workers")).toEqual([]);
  });

  test("only core imports the generated glue", () => {
    expect(violations("core/load.ts", "../pkg/core/pagemark.js")).toEqual([]);
    expect(violations("entry/node.ts", "../pkg/core/pagemark.js")).toHaveLength(1);
    expect(violations("jobs/backup.ts", "../pkg/core/pagemark.js")).toHaveLength(1);
  });

  test("a folder that has no layer is found", () => {
    expect(violations("utils/text.ts")).toHaveLength(1);
  });
});
