// Projects of users, each in a folder of its own with the packed package in it.
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root } from "../run.mjs";

/** What every example shows. */
export const EXPECTED = JSON.stringify({
  kind: "full",
  tables: 1,
  size: 8192,
  rows: ["(1,'first')", "(2,'second')"],
});
/** Where the tools are, and below it the projects: they find them as they would in a folder above. */
const home = join(root, ".cache/packaging");
const from = join(root, "tests/packaging/bundlers");
const versions = new Map();
let packed;
let work;

/** Installs the tools, unless they are, and packs the package. */
export function prepare() {
  const [wanted, installed] = [join(from, "package-lock.json"), join(home, ".installed-lock.json")];
  if (!existsSync(installed) || readFileSync(installed, "utf8") !== readFileSync(wanted, "utf8")) {
    mkdirSync(home, { recursive: true });
    for (const name of ["package.json", "package-lock.json"]) cpSync(join(from, name), join(home, name));
    cpSync(join(root, ".npmrc"), join(home, ".npmrc"));
    call("npm", ["ci", "--no-progress", "--loglevel=error"], { cwd: home });
    cpSync(wanted, installed);
  }
  work = mkdtempSync(join(home, "run-"));
  process.on("exit", () => rmSync(work, { recursive: true, force: true }));
  call("npm", ["pack", "--silent", "--workspace", "js", "--pack-destination", work], { cwd: root });
  const file = readdirSync(work).find((name) => name.endsWith(".tgz"));
  packed = join(work, "packed");
  mkdirSync(packed);
  call("tar", ["-xzf", join(work, file), "-C", packed, "--strip-components", "1"]);
}

/** A new project: the files of these folders of examples, and the package installed in it. */
export function project(...examples) {
  const folder = mkdtempSync(join(work, "project-"));
  const manifest = { name: "project", private: true, type: "module", dependencies: { pagemark: "*" } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const name of examples) cpSync(join(root, "examples", name), folder, { recursive: true });
  cpSync(packed, join(folder, "node_modules/pagemark"), { recursive: true });
  return folder;
}

/** A file of a tool. */
export function tool(path) {
  return join(home, "node_modules", path);
}

export function toolVersion(name) {
  if (name === "node") return process.versions.node;
  if (name === undefined) return "";
  if (!versions.has(name)) {
    const inHome = join(home, "node_modules", name, "package.json");
    const path = existsSync(inHome) ? inHome : join(root, "node_modules", name, "package.json");
    versions.set(name, JSON.parse(readFileSync(path, "utf8")).version);
  }
  return versions.get(name);
}

/** Runs a program to its end, and returns what it prints. */
export function call(command, args, { cwd = root, env = {}, timeout = 600_000 } = {}) {
  const environment = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1", ...env };
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...{ cwd, timeout, encoding: "utf8", maxBuffer: 1 << 26, env: environment },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
  return stdout;
}

/** Runs a server while `use` runs, which begins when `ready` answers. */
export async function serving(command, args, { cwd, url, env = {} }, use) {
  const child = spawn(command, args, {
    ...{
      cwd,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (printed += text));
  try {
    for (let tries = 0; ; tries += 1) {
      if (child.exitCode !== null || tries > 200) throw new Error(printed || "it does not answer");
      if (
        await fetch(url, { signal: AbortSignal.timeout(20_000) }).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        break;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return await use(url);
  } finally {
    // With what it has started.
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {}
  }
}
