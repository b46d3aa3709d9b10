// The package as a user gets it: packed, installed into an empty project, and run there.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const project = mkdtempSync(join(tmpdir(), "pagemark-package-"));

// Offline: it depends on nothing.
beforeAll(() => {
  run("npm", ["pack", "--silent", "--workspace", "js", "--pack-destination", project], root);
  const packed = readdirSync(project).find((name) => name.endsWith(".tgz"));
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
  run("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", `./${packed}`]);
  const db = new DatabaseSync(join(project, "app.db"));
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
  db.close();
}, 120_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

test("the library is imported by its name and backs a database up", () => {
  writeFileSync(
    join(project, "run.js"),
    `import { file, folder, pagemark } from "pagemark";
     const db = pagemark(file("app.db"), { store: folder("library") });
     const backup = await db.backup();
     console.log(JSON.stringify([backup.tables, backup.kind, await db.bookmark() === backup.bookmark]));`,
  );
  expect(JSON.parse(run("node", ["run.js"]))).toEqual([1, "full", true]);
});

test("the README's example runs as typed", () => {
  const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(readme()) ?? [];
  writeFileSync(join(project, "readme.js"), example);
  const printed = run("node", ["readme.js"]);
  expect(printed).toMatch(/^[0-9a-f-]{36} [0-9a-f-]{59} full$/m);
  expect(printed).toContain("undoes it");
});

test("the command line is on the path of npm's scripts, and tells its version", () => {
  const pagemark = (...args: string[]) => run(join(project, "node_modules/.bin/pagemark"), args);
  expect(pagemark("--version")).toMatch(/^\d+\.\d+\.\d+ \(core\.wasm [0-9a-f]{16}\)\n$/);
  pagemark("backup", "app.db", "--to", "backups");
  pagemark("restore", "app", "--from", "backups", "-o", "again.db");
  expect(existsSync(join(project, "again.db"))).toBe(true);
});

test("the engine is imported by its own name, and has types", () => {
  const source = `import { type Check, Database, type PageStore, type Row, SqlError } from "pagemark/engine";
     const stores: PageStore[] = [];
     using db: Database = await Database.open({ history: { commits: 3 }, ...stores.map((store) => ({ store }))[0] });
     db.exec("CREATE TABLE t (a)");
     const inserted: number = db.prepare("INSERT INTO t VALUES (?), (:b)").run(1n, "two").changes;
     const rows: Row[] = db.prepare("SELECT a FROM t").all();
     const check: Check = db.check();
     try { db.exec("nonsense"); } catch (error) {
       console.log(JSON.stringify([inserted, rows, check.ok, error instanceof SqlError && error.sqlite]));
     }
     // @ts-expect-error SQLite has no dates
     const wrong = () => db.prepare("SELECT ?").get(1, new Date());\n`;
  writeFileSync(join(project, "engine.ts"), source);
  for (const condition of ["workerd", "browser", "node"]) {
    const module =
      condition === "node" ? { module: "nodenext" } : { module: "esnext", moduleResolution: "bundler" };
    const lib = ["esnext", "dom", "dom.asynciterable"];
    const compilerOptions = {
      ...module,
      customConditions: [condition],
      strict: true,
      target: "es2022",
      lib,
      types: [],
    };
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions, include: ["engine.ts"] }),
    );
    run(join(root, "node_modules/.bin/tsc"), ["--project", "."]);
  }
  expect(JSON.parse(run("node", ["engine.js"]))).toEqual([2, [{ a: 1 }, { a: "two" }], true, 1]);
});

test.each([["node16"], ["nodenext"], ["bundler"]])(
  "types are whole and find files with moduleResolution %s, without the DOM's or Node's types",
  (moduleResolution) => {
    const entries = [
      "pagemark",
      "pagemark/node",
      "pagemark/engine",
      "pagemark/engine/slim",
      "pagemark/client",
      "pagemark/vault",
      "pagemark/vault/slim",
    ];
    const imports = entries.map((entry, at) => `import * as e${at} from "${entry}";`);
    writeFileSync(
      join(project, "all.ts"),
      `${imports.join("\n")}
       import { memory } from "pagemark/inline";
       import { useWasm, type WasmFiles } from "pagemark/slim";
       import wasm from "pagemark/core.wasm";
       const files: WasmFiles = { core: wasm, dump: "https://example.com/dump.wasm" };
       useWasm(files);
       export const all = [e0.file("a.db"), e0.folder("b"), e1.file("a.db"), memory(new Uint8Array()), e2, e3, e4, e5, e6];\n`,
    );
    const compilerOptions = {
      ...{ module: moduleResolution === "bundler" ? "esnext" : moduleResolution, moduleResolution },
      ...{ lib: ["ES2022"], target: "es2022", strict: true, skipLibCheck: false, types: [], noEmit: true },
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["all.ts"] }));
    run(join(root, "node_modules/.bin/tsc"), ["--project", "."]);
  },
);

test("nothing but the built package is in it: no sources, no tests, seven wasm modules", () => {
  const files = readdirSync(join(project, "node_modules/pagemark"), { recursive: true, encoding: "utf8" });
  expect(files.filter((name) => name.endsWith(".wasm"))).toEqual([
    "dist/build.wasm",
    "dist/core.wasm",
    "dist/dump.wasm",
    "dist/engine.wasm",
    "dist/locality.wasm",
    "dist/statement.wasm",
    "dist/subset.wasm",
  ]);
  expect(files.filter((name) => /(^|\/)(src|tests?)\/|\.tsbuildinfo$/.test(name))).toEqual([]);
});

function readme(): string {
  return readFileSync(join(root, "README.md"), "utf8");
}

function run(command: string, args: string[], cwd = project): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
