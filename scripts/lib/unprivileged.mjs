// How the least of users runs a program: no root, no capabilities, low priority, files for the owner's eyes only, no
// home and no folder for temporary files named, and a working folder in which nothing may be written.
import { spawnSync } from "node:child_process";
import { root } from "./run.mjs";

const NOBODY = "65534";
const WITHOUT_CAPABILITIES = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
const AS_NOBODY = [...WITHOUT_CAPABILITIES, `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

/** The command, its arguments and its environment. Whoever is not root already stays who they are. */
export function unprivileged(command, args) {
  const { HOME: _, TMPDIR: __, ...env } = process.env;
  const line = [...user(), "nice", "-n", "15", command, ...args];
  return { command: "sh", args: ["-c", 'umask 077; exec "$@"', "sh", ...line], env };
}

function user() {
  if (process.getuid() !== 0) return [];
  const [command, ...args] = AS_NOBODY;
  if (spawnSync(command, [...args, "test", "-r", `${root}/package.json`]).status === 0) return AS_NOBODY;
  console.log(`Nobody but root can read ${root}: these tests run as root without capabilities.`);
  return WITHOUT_CAPABILITIES;
}
