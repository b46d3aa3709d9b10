import { expect, test } from "vitest";
import { read } from "./files.ts";

/** In lines: what is longer tells more than one story. */
const MOST = 400;
/** What is shorter belongs to its noun: a file costs its reader a name, and a way to it. */
const LEAST = 40;

/** Longer or shorter all the same, and why: `["src/page/wal.rs", "one table of cases"]`. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["js/src/browser/inline-database-worker.ts", "a text that is loaded by itself, and seldom"],
  ["js/src/browser/inline-worker.ts", "the same"],
  ["js/src/cli/check.ts", "a file for each command"],
  ["js/src/core/free.ts", "for rooms that use nothing else of the core, and load none of it"],
  ["js/src/core/dispose.ts", "a name that every class with a handle takes"],
  ["js/src/core/globals.ts", "declares what is declared elsewhere, too"],
  ["js/src/core/node-version.node.ts", "read by versions of Node that read nothing else"],
  ["js/src/core/require-runtime.node.ts", "imported first, for what it does"],
  ["js/src/sources/row/terms.ts", "takes SQL apart, which nothing beside it does"],
]);

/** Entries, indexes, error classes, what threads begin with, bindings of a module of the core, and tests. */
const MAY_BE_SHORT =
  /(^|\/)(entry\/|errors\/|wasm\/|index\.ts$|start\.ts$|mod\.rs$|lib\.rs$|tests\/|[^/]*-worker\.node\.ts$)/;

const FOLDERS = { src: ".rs", "engine/src": ".rs", "js/src": ".ts", scripts: ".mjs", tests: ".ts" };

function lengthsIn(folder: string, ending: string): { path: string; lines: number }[] {
  const files = [...read(folder, ending)];
  return files
    .map(([path, text]) => ({ path: `${folder}/${path}`, lines: text.split("\n").length - 1 }))
    .filter(({ path }) => !REASONS.has(path));
}

test(`no file is over ${MOST} lines without a reason`, () => {
  const long = Object.entries(FOLDERS).flatMap(([folder, ending]) =>
    lengthsIn(folder, ending)
      .filter(({ lines }) => lines > MOST)
      .map(({ path, lines }) => `${path} has ${lines} lines: split it, or give a reason in this test`),
  );
  expect(long).toEqual([]);
});

test(`no file of the core and the package is under ${LEAST} lines, unless it begins, lists or names something`, () => {
  const short = ["src", "js/src"].flatMap((folder) =>
    lengthsIn(folder, folder === "src" ? ".rs" : ".ts")
      .filter(({ path, lines }) => lines < LEAST && !MAY_BE_SHORT.test(path))
      .map(({ path, lines }) => `${path} has ${lines} lines: put it where it is used, or give a reason here`),
  );
  expect(short).toEqual([]);
});
