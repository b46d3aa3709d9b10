// Runs one command of a build or check in the open: what it prints is shown, a failure ends the script.
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The repository's folder; every script works from here. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs `command`, showing its output, and returns its exit code. */
export function tryRun(command, args, options = {}) {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

/** As {@link run}, beside others. */
export async function runBeside(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
  const status = await new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  if (status !== 0) process.exit(status);
}

/** Runs `command`, showing its output; ends this process with the same exit code if it fails. */
export function run(command, args, options) {
  const status = tryRun(command, args, options);
  if (status !== 0) process.exit(status);
}
