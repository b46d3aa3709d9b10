// Pagemark's command in Python, as its users have it: hosts/python with PyPI's wasmtime.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Ran } from "../support/cli.ts";

const root = join(import.meta.dirname, "../..");

/** Runs Python with the host's module and what it needs. */
export function python(folder: string, ...args: string[]): Ran {
  return pythonWith({}, folder, ...args);
}

/** The same, with variables in the environment. */
export function pythonWith(env: Record<string, string>, folder: string, ...args: string[]): Ran {
  const packages = ["hosts/python/src", ".cache/clients/python", ".cache/s3/python"];
  const { status, stdout, stderr } = spawnSync("python3", args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    env: {
      PATH: process.env.PATH,
      // The compiled component is kept there from one run to the next.
      HOME: join(root, "target"),
      PYTHONPATH: packages.map((each) => join(root, each)).join(":"),
      PYTHONDONTWRITEBYTECODE: "1",
      ...env,
    },
  });
  return { status, stdout, stderr };
}

/** `pagemark-py`, which must end well. */
export function pagemarkPy(folder: string, ...args: string[]): string {
  return pagemarkPyWith({}, folder, ...args);
}

export function pagemarkPyWith(env: Record<string, string>, folder: string, ...args: string[]): string {
  const { status, stdout, stderr } = pythonWith(env, folder, "-m", "pagemark.cli", ...args);
  if (status !== 0) throw new Error(`pagemark-py ${args.join(" ")}: exit code ${status}\n${stderr}`);
  return stdout;
}
