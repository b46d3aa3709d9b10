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
      [...text.matchAll(/^ {4}\w+ = "([A-Z0-9_]+)":/gm)].map(([, code]) => code),
    ),
  );
  expect(codes.length).toBeGreaterThan(60);
  expect([...new Set(codes)].filter((code) => code && !listed.has(code))).toEqual([]);
});

test("the page is what its script makes", () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/error-codes.mjs"), "--check"], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
});
