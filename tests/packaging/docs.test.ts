// What README and docs show is typed as it stands there, in a folder with a real database. A block that cannot be run has
// a comment before it that says why, <!-- not run: … -->; one that is typed in the repository has <!-- in the repository -->.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { runSql, tableSql, tempFolder } from "../support/temp.ts";

const root = join(import.meta.dirname, "../..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];

interface Block {
  /** Page and line. */
  place: string;
  language: string;
  code: string;
  /** Why it is not run. */
  reason: string | undefined;
  isInRepository: boolean;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), "utf8");
  return [
    ...text.matchAll(/(?:<!-- (?:not run: (.+?)|(in the repository)) -->\n+)?^```(\w+)\n(.*?)^```$/gms),
  ].map((match) => {
    const [, reason, place, language = "", code = ""] = match;
    const line = text.slice(0, match.index).split("\n").length;
    const isInRepository = place !== undefined;
    return { place: `${page}:${line}`, language, code, reason, isInRepository };
  });
}

const blocks = pages.flatMap(blocksOf).filter(({ language }) => language === "sh" || language === "ts");
const folder = tempFolder();

/** What of the repository a newcomer needs: copied, so that it can be written to, but for what is built or installed. */
function repository(place: string): { cwd: string; env: NodeJS.ProcessEnv } {
  const cwd = join(folder, place.replace(/\W/g, "-"));
  for (const name of ["examples", "tests/contracts"])
    cpSync(join(root, name), join(cwd, name), { recursive: true });
  for (const name of ["package.json", "vitest.config.ts"]) cpSync(join(root, name), join(cwd, name));
  for (const name of ["node_modules", "js"]) symlinkSync(join(root, name), join(cwd, name));
  return {
    cwd,
    env: { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) },
  };
}

/** A folder with a database in it, in which `pagemark` is a command and a package. */
function workplace(place: string): { cwd: string; env: NodeJS.ProcessEnv } {
  const cwd = join(folder, place.replace(/\W/g, "-"));
  mkdirSync(join(cwd, "bin"), { recursive: true });
  runSql(join(cwd, "app.db"), tableSql("orders", 100));
  symlinkSync(join(root, "js/dist/bin/pagemark.js"), join(cwd, "bin/pagemark"));
  symlinkSync(join(root, "node_modules"), join(cwd, "node_modules"));
  const paths = [join(cwd, "bin"), dirname(process.execPath), process.env.PATH];
  return { cwd, env: { ...process.env, PATH: paths.join(delimiter) } };
}

describe("what the pages show works as typed", () => {
  const typed = blocks.filter(({ reason }) => reason === undefined);

  test("most of it is typed", () => {
    expect(typed.length).toBeGreaterThanOrEqual(4);
  });

  test.each(typed)(
    "$place ($language)",
    ({ place, language, code, isInRepository }) => {
      const { cwd, env } = isInRepository ? repository(place) : workplace(place);
      if (language === "ts") writeFileSync(join(cwd, "shown.mts"), code);
      const [command, args] =
        language === "ts"
          ? [process.execPath, ["--experimental-strip-types", "--no-warnings", "shown.mts"]]
          : ["bash", ["-euo", "pipefail", "-c", code]];
      const { status, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
      expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
      if (code.includes("pagemark backup")) expectFiles(cwd);
    },
    180_000,
  );
});

/** What README says that its commands make. */
function expectFiles(cwd: string): void {
  const made = readdirSync(cwd);
  expect(made).toEqual(
    expect.arrayContaining(["app.sql", "backups", "imported.db", "restored.db", "small.db"]),
  );
  expect(made.filter((name) => /^app\.[0-9a-f]{8}\.sqlite3$/.test(name))).toHaveLength(1);
}
