import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { read, root } from "./files.ts";

test("every code in a test's title is explained in tests/README.md", () => {
  const titles = [...read("tests", ".ts").values()].flatMap((text) => [
    ...text.matchAll(/["`]((?:[A-F]\d{1,2},? )+)[^"`\n]*/g),
  ]);
  const names = ["src", "engine/src"].flatMap((folder) =>
    [...read(folder, ".rs").values()].flatMap((text) => [...text.matchAll(/fn ([a-f]\d{1,2})_/g)]),
  );
  const used = [...titles, ...names].flatMap(
    ([, codes = ""]) => codes.toUpperCase().match(/[A-F]\d+/g) ?? [],
  );
  const page = readFileSync(join(root, "tests/README.md"), "utf8");
  const rows = [...page.matchAll(/^\| ([A-F]\d.*?) \|/gm)].map(([, codes = ""]) => codes);
  const explained = new Set(rows.flatMap(codesOf));
  expect([...new Set(used)].filter((code) => !explained.has(code))).toEqual([]);
});

/** `B1, B3` are two; `D1 to D7` are seven. */
function codesOf(row: string): string[] {
  const [, letter = "", first, last] = /^([A-F])(\d+) to [A-F](\d+)$/.exec(row) ?? [];
  if (last === undefined) return row.split(", ");
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, index) => `${letter}${Number(first) + index}`);
}
