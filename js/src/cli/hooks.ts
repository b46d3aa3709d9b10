// What a user wants to happen around a backup: commands of theirs, and a URL that is told of success.
import { spawn } from "node:child_process";
import { PagemarkError } from "../errors/index.ts";
import { warn } from "./output.ts";

export interface Hooks {
  /** A command before the backup: when it fails, there is none. */
  execBefore?: string | undefined;
  /** A command after it. */
  execAfter?: string | undefined;
  /** Fetched after a backup that was made. */
  heartbeat?: string | undefined;
}

const HEARTBEAT_MS = 10_000;

/** The database that a hook is told of. */
export interface HookSubject {
  name: string;
  path: string;
}

/** Makes a backup between the hooks; that after it hears of a failure, too. */
export async function withHooks<T>(hooks: Hooks, subject: HookSubject, work: () => Promise<T>): Promise<T> {
  let made: T;
  try {
    await runHook(hooks.execBefore, subject, "due");
    made = await work();
  } catch (error) {
    await runHook(hooks.execAfter, subject, "failed").catch((failure) => warn((failure as Error).message));
    throw error;
  }
  await runHook(hooks.execAfter, subject, "done");
  if (hooks.heartbeat !== undefined) await beat(subject.name, hooks.heartbeat);
  return made;
}

/** Runs a command of the user's; it fails when that does. What it prints goes to standard error, as results are for others. */
export async function runHook(
  command: string | undefined,
  { name, path }: HookSubject,
  status: "due" | "done" | "failed",
): Promise<void> {
  if (command === undefined) return;
  const env = { ...process.env, PAGEMARK_NAME: name, PAGEMARK_FILE: path, PAGEMARK_STATUS: status };
  const child = spawn(command, { shell: true, stdio: ["ignore", 2, 2], env });
  const code = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(127));
    child.once("exit", resolve);
  });
  if (code === 0) return;
  const end = code === null ? "a signal" : `exit code ${code}`;
  const made = status === "done" ? "; the backup was made" : "";
  throw new PagemarkError("HOOK_FAILED", `${name}: \`${command}\` ended with ${end}${made}`, { name });
}

/** Tells whoever waits for it that a backup was made. What goes wrong is a warning: the backup is there. */
export async function beat(name: string, url: string): Promise<void> {
  try {
    const { ok, status, body } = await fetch(url, { signal: AbortSignal.timeout(HEARTBEAT_MS) });
    body?.cancel().catch(() => {});
    if (!ok) throw new Error(`it answered ${status}`);
  } catch (error) {
    // Its path is a secret, mostly.
    warn(`${name}: the heartbeat to ${hostOf(url)} failed: ${(error as Error).message}`);
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "a URL that is none";
}
