import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { read, root } from "./files.ts";
import { ENGINE_LAYERS, RUST_LAYERS } from "./rust.ts";
import { importCircles, TS_LAYERS, tsViolations } from "./typescript.ts";

const violations = (path: string, ...specifiers: string[]) =>
  tsViolations(new Map([[path, specifiers.map((from) => `import { a } from "${from}";`).join("\n")]]));

describe("layers of the TypeScript package", () => {
  test("every file in js/src keeps to the layers", () => {
    expect(tsViolations(read("js/src", ".ts"))).toEqual([]);
  });

  test("the picture in docs/architecture.md has every room", () => {
    const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const [, picture = ""] = /```text\n([\s\S]*?)```/.exec(page) ?? [];
    const [typescript = "", rust = ""] = picture.split("pkg:");
    const lacks = (text: string, rooms: object) =>
      Object.keys(rooms).filter((room) => !new RegExp(`\\b${room}\\b`).test(text));
    expect(lacks(typescript, TS_LAYERS)).toEqual([]);
    const { component: _, engine: __, ...core } = RUST_LAYERS;
    const { tests: ___, ...engine } = ENGINE_LAYERS;
    expect(lacks(rust, { ...core, ...engine })).toEqual([]);
  });

  test("lower layers are allowed, higher ones are not", () => {
    expect(violations("run/backup.ts", "../stores/store.ts", "../core/ltx.ts", "./draft.ts")).toEqual([]);
    expect(violations("stores/s3.ts", "../run/backup.ts")).toEqual([
      "js/src/stores/s3.ts: stores (layer 2) imports run/backup.ts (layer 7)",
    ]);
    expect(violations("core/load.ts", "../errors/error.ts")).toEqual([]);
    expect(violations("errors/error.ts", "../core/load.ts")).toHaveLength(1);
  });

  test("what drivers and the command line share of Node knows nothing above it", () => {
    expect(violations("stores/folder/put.ts", "../../node/new-file.ts")).toEqual([]);
    expect(violations("node/temporary-file.ts", "../errors/source-error.ts")).toEqual([]);
    expect(violations("node/new-file.ts", "../stores/folder.ts")).toHaveLength(1);
    expect(violations("node/new-file.ts", "../core/free.ts")).toHaveLength(1);
  });

  test("imports of types, re-exports and dynamic imports count too", () => {
    for (const text of [
      'import type { A } from "../run/backup.ts";',
      'export * from "../run/backup.ts";',
      'const a = await import("../run/backup.ts");',
      'import {\n  a,\n  b,\n} from "../run/backup.ts";',
      'import "../run/backup.ts";',
    ]) {
      expect(tsViolations(new Map([["stores/s3.ts", text]])), text).toHaveLength(1);
    }
    expect(tsViolations(new Map([["stores/s3.ts", '// import "../run/backup.ts";']]))).toEqual([]);
  });

  test("sources and stores know nothing of each other", () => {
    expect(violations("sources/file.ts", "../stores/store.ts")).toHaveLength(1);
    expect(violations("stores/s3.ts", "../sources/source.ts")).toHaveLength(1);
  });

  test("a driver imports its folder's interface and its own parts, not another driver", () => {
    expect(violations("stores/s3/s3.ts", "../store.ts", "./sign.ts")).toEqual([]);
    expect(violations("stores/s3/s3.ts", "../folder/folder.ts")).toHaveLength(1);
  });

  test("what is above the drivers knows interfaces only", () => {
    expect(violations("run/backup.ts", "../stores/folder.ts")).toHaveLength(1);
    expect(violations("cli/places.ts", "../stores/folder.ts")).toEqual([]);
    expect(violations("engine/database.ts", "../stores/folder.ts")).toHaveLength(1);
  });

  test("the engine uses backups, and nothing but its users uses the engine", () => {
    expect(violations("engine/database.ts", "../run/backup.ts", "../sources/source.ts")).toEqual([]);
    expect(violations("backups/verify.ts", "../engine/database.ts")).toHaveLength(1);
    expect(violations("cli/import.ts", "../engine/database.ts")).toEqual([]);
  });

  test("rooms of the Worker are in order: jobs know nothing of the object", () => {
    expect(violations("worker/object/home.ts", "../jobs/bin.ts", "../settings.ts", "./gate.ts")).toEqual([]);
    expect(violations("worker/jobs/bin.ts", "../object/home.ts")).toEqual([
      "js/src/worker/jobs/bin.ts: worker/jobs (floor 3) imports worker/object/home.ts (floor 4)",
    ]);
    expect(violations("worker/object/object.ts", "../databases.ts")).toHaveLength(1);
    expect(violations("worker/registry.ts", "./settings.ts")).toHaveLength(1);
    // On one floor.
    expect(violations("worker/databases.ts", "./bound.ts")).toHaveLength(1);
    expect(violations("worker/queue/queue.ts", "../jobs/bin.ts")).toEqual([
      "js/src/worker/queue/queue.ts: worker/queue is on no floor: give it one in tests/layering/typescript.ts",
    ]);
  });

  test("what serves databases knows nothing of HTTP, and HTTP nothing of who serves them", () => {
    expect(violations("api/jobs.ts", "../service/service.ts")).toEqual([]);
    expect(violations("service/downloads.ts", "./jobs/table.ts", "./service.ts")).toEqual([]);
    expect(violations("service/service.ts", "../api/envelope.ts")).toHaveLength(1);
    expect(violations("api/jobs.ts", "../worker/registry.ts")).toHaveLength(1);
    expect(violations("service/jobs/runner.ts", "../service.ts")).toHaveLength(1);
    expect(violations("worker/object/object.ts", "../../service/service.ts")).toEqual([]);
  });

  test("a command of the command line knows what all share, and no other command", () => {
    expect(violations("cli/verify.ts", "./output.ts", "./values.ts", "./target.ts")).toEqual([]);
    expect(violations("cli/main.ts", "./verify.ts")).toEqual([]);
    expect(violations("cli/verify.ts", "./restore.ts")).toHaveLength(1);
    expect(violations("cli/verify.ts", "./main.ts")).toHaveLength(1);
    expect(violations("cli/output.ts", "./verify.ts")).toHaveLength(1);
    expect(violations("cli/table.ts", "./units.ts")).toHaveLength(1);
  });

  test("a vault is for Node and the command line, too: it knows nothing of the Worker", () => {
    expect(violations("vault/kept-backups.ts", "../backups/backups.ts", "../stores/store.ts")).toEqual([]);
    expect(violations("worker/object/notes.ts", "../../vault/notes.ts")).toEqual([]);
    expect(violations("vault/kept-backups.ts", "../worker/jobs/bin.ts")).toHaveLength(1);
    expect(violations("vault/kept-backups.ts", "../stores/r2.ts")).toHaveLength(1);
  });

  test("node: is imported only by files named for Node", () => {
    expect(violations("dump/gzip.ts", "node:zlib")).toHaveLength(1);
    for (const path of [
      "dump/gzip.node.ts",
      "entry/node.ts",
      "entry/engine.node.ts",
      "sources/file/lock.ts",
      "node/errno.ts",
      "stores/folder/folder.ts",
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
    expect(violations("run/backup.ts", "../pkg/core/pagemark.js")).toHaveLength(1);
  });

  test("a folder that has no layer is found", () => {
    expect(violations("utils/text.ts")).toHaveLength(1);
  });

  test("no file imports itself, through however many others", () => {
    expect(importCircles(read("js/src", ".ts"))).toEqual([]);
  });

  test("a circle is found, also of types, and a file that is imported twice is none", () => {
    const circles = (files: Record<string, string[]>) =>
      importCircles(
        new Map(
          Object.entries(files).map(([path, from]) => [
            path,
            from.map((each) => `import type { A } from "${each}";`).join("\n"),
          ]),
        ),
      );
    expect(circles({ "a/a.ts": ["../b/b.ts"], "b/b.ts": ["./c.ts"], "b/c.ts": ["../a/a.ts"] })).toEqual([
      ["a/a.ts", "b/b.ts", "b/c.ts"],
    ]);
    expect(circles({ "a.ts": ["./b.ts", "./c.ts"], "b.ts": ["./c.ts"], "c.ts": ["./gone.ts"] })).toEqual([]);
  });
});
