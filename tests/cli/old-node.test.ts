// A Node that is too old says so, before it fails somewhere.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { main } from "../support/cli.ts";

const root = join(import.meta.dirname, "../..");
const OLDEST = "22.13";

/** Node as it is, but for the versions that it tells. */
function nodeThatTells(versions: Record<string, string>, ...args: string[]) {
  const code = `Object.defineProperty(process, "versions", { value: { ...process.versions, ...${JSON.stringify(versions)} } })`;
  const preload = `data:text/javascript,${encodeURIComponent(code)}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", preload, ...args], {
    cwd: join(root, "tests"),
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test.each(["18.20.8", "20.20.2", "22.12.0"])(
  "with Node %s the command ends with one line that names what it needs",
  (node) => {
    const { status, stdout, stderr } = nodeThatTells({ node }, main, "list", "app", "--from", "backups");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^error: pagemark needs Node 22\.13 or later, and this is Node [\d.]+; .* \[RUNTIME_OLD\]\n$/,
    );
    const asJson = nodeThatTells({ node }, main, "list", "app", "--from", "backups", "--json");
    expect(JSON.parse(asJson.stderr).error.code).toBe("RUNTIME_OLD");
  },
);

test.each(["pagemark", "pagemark/engine"])(
  "with an old Node the import of %s fails with the same words",
  (name) => {
    const program = `import(${JSON.stringify(name)}).catch(({ code, message }) => console.log(code, message))`;
    const { stdout } = nodeThatTells({ node: "20.20.2" }, "-e", program);
    expect(stdout).toMatch(/^RUNTIME_OLD pagemark needs Node 22\.13 or later, and this is Node 20\.20\.2;/);
  },
);

test.each([
  { node: "22.13.0" },
  { node: "24.0.0" },
  { node: "20.11.1", deno: "1.40.0" },
  { node: "18.15.0", bun: "1.0.0" },
])("%o is not refused", (versions) => {
  const { stdout } = nodeThatTells(versions, "-e", 'import("pagemark").then(() => console.log("imported"))');
  expect(stdout).toBe("imported\n");
  expect(nodeThatTells(versions, main, "--version").status).toBe(0);
});

test("README and both packages name the same version", () => {
  for (const path of ["package.json", "js/package.json"]) {
    expect(JSON.parse(readFileSync(join(root, path), "utf8")).engines).toEqual({ node: `>=${OLDEST}` });
  }
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`Node ${OLDEST} or later`);
});
