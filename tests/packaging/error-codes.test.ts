// docs/errors.md has every code that is thrown.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const listed = new Set(
  readFileSync(join(root, "docs/errors.md"), "utf8").match(/(?<=`)[A-Z][A-Z0-9_]+(?=`)/g),
);

/** The texts of all files below a folder with that ending. */
function texts(folder: string, ending: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(root, folder, name), "utf8"));
}

test("every code that TypeScript makes an error of is listed", () => {
  const codes = texts("js/src", ".ts").flatMap((text) =>
    [
      ...text.matchAll(/new \w*(?:Pagemark|Source|Store|Damage|Conflict|Sql)\w*Error\(\s*"([A-Z0-9_]+)"/g),
    ].map(([, code]) => code),
  );
  expect(codes.length).toBeGreaterThan(100);
  expect([...new Set(codes)].filter((code) => code && !listed.has(code))).toEqual([]);
});

test("every code of the core and the engine is listed", () => {
  const codes = ["src", "engine/src"].flatMap((folder) =>
    texts(folder, "error.rs").flatMap((text) =>
      [...text.matchAll(/^ {4}\w+ = \w+ "([A-Z0-9_]+)":/gm)].map(([, code]) => code),
    ),
  );
  expect(codes.length).toBeGreaterThan(60);
  expect([...new Set(codes)].filter((code) => code && !listed.has(code))).toEqual([]);
});

test("what a caller can mend is no failure of the Worker's", () => {
  const rows = readFileSync(join(root, "docs/errors.md"), "utf8").matchAll(
    /^\| `([A-Z0-9_]+)` \| (caller|input|sql) \|/gm,
  );
  const codes = [...rows].map(([, code = ""]) => code);
  const envelope = readFileSync(join(root, "js/src/api/envelope.ts"), "utf8");
  const known = new Set(envelope.match(/(?<=^ {2}"?)[A-Z][A-Z0-9_]+(?="?[:,])/gm));
  expect(codes.length).toBeGreaterThan(30);
  // A Worker has no files beside a database.
  expect(codes.filter((code) => !known.has(code) && !/^(WAL|JOURNAL)_/.test(code))).toEqual([]);
});

test("the page is what its script makes", () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/error-codes.mjs"), "--check"], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
});
