import { expect, test } from "vitest";
import { read } from "./files.ts";

const LIMIT = 400;

/** Longer all the same, and why: `["src/page/wal.rs", "one table of cases"]`. */
const REASONS: ReadonlyMap<string, string> = new Map([]);

const FOLDERS = { src: ".rs", "engine/src": ".rs", "js/src": ".ts", scripts: ".mjs", tests: ".ts" };

test(`no file is over ${LIMIT} lines without a reason`, () => {
  const long = Object.entries(FOLDERS).flatMap(([folder, ending]) =>
    [...read(folder, ending)]
      .map(([path, text]) => ({ path: `${folder}/${path}`, lines: text.split("\n").length - 1 }))
      .filter(({ path, lines }) => lines > LIMIT && !REASONS.has(path))
      .map(
        ({ path, lines }) =>
          `${path} has ${lines} lines: split it, or give the reason in file-length.test.ts`,
      ),
  );
  expect(long).toEqual([]);
});
