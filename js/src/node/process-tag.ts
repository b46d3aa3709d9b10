import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";

/** A process: its machine (or container), its number there, and when it began. */
interface Owner {
  host: string;
  pid: number;
  /** Clock ticks of the machine since its start: a number that is used again has another. */
  began: string;
}

/** Host of a process about which nothing can be found out. */
const UNKNOWN = "0".repeat(12);

let own: Owner | undefined;

/**
 * A unique name for something temporary. From it, others on this machine can tell whether the
 * process that made it still runs: see {@link isAbandoned}. Letters, digits and dots, 50 at the most.
 */
export function processTag(): string {
  own ??= thisProcess();
  return `${own.host}.${own.pid}.${own.began}.${randomBytes(4).toString("hex")}`;
}

/** Whether `tag` has the form of {@link processTag}. */
export function isTag(tag: string): boolean {
  return ownerOf(tag) !== undefined;
}

/**
 * Whether the process that made something under this tag has certainly ended. Nothing is known about processes of another
 * machine or container that shares the folder.
 */
export function isAbandoned(tag: string): boolean {
  own ??= thisProcess();
  const owner = ownerOf(tag);
  if (!owner || owner.host === UNKNOWN || owner.host !== own.host) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // Processes of other users are there, too: signalling those is not permitted.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  const found = statOf(owner.pid);
  return found !== undefined && (found.began !== owner.began || found.hasEnded);
}

function ownerOf(tag: string): Owner | undefined {
  const [, host, pid, began] = /^([0-9a-f]{12})\.(\d{1,10})\.(\d{1,20})\.[0-9a-f]{8}$/.exec(tag) ?? [];
  return host && pid && began ? { host, pid: Number(pid), began } : undefined;
}

/** Only Linux tells enough: when the machine was started, and within which container process numbers hold. */
function thisProcess(): Owner {
  const { pid } = process;
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
    const host = createHash("sha256").update(boot + readlinkSync("/proc/self/ns/pid"));
    const began = statOf(pid)?.began;
    if (began !== undefined) return { host: host.digest("hex").slice(0, 12), pid, began };
  } catch {
    // Age has to tell.
  }
  return { host: UNKNOWN, pid, began: "0" };
}

/** From proc_pid_stat(5), fields 3 and 22; the second, a name in brackets, may hold anything. */
function statOf(pid: number): { began: string; hasEnded: boolean } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const [state = "", began] = [fields[0], fields[19]];
    // Z: it has ended, and its parent has not asked how.
    return began === undefined ? undefined : { began, hasEnded: "ZX".includes(state) };
  } catch {
    return undefined;
  }
}
