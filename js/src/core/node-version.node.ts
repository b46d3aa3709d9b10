// Plain enough for runtimes that are too old for the rest; imports nothing.

/** The oldest Node that has SQLite without a flag: its locks hold the moment while others write. package.json says the same. */
const OLDEST = [22, 13];

/** Why this runtime will not do; nothing where it will. Deno and Bun tell of some Node, too, but have versions of their own. */
export function runtimeProblem(
  versions: Record<string, string | undefined> = process.versions,
): string | undefined {
  if (versions.deno || versions.bun || !versions.node) return undefined;
  const [major = 0, minor = 0] = versions.node.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `pagemark needs Node ${OLDEST.join(".")} or later, and this is Node ${versions.node}; install a newer one`;
}
