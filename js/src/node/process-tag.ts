import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";

/** A machine and the processes that it numbers, a process of it, and when that began. */
interface Owner {
  host: string;
  pid: number;
  /** In the clock ticks of the machine since it was started: a number that was used again has another. */
  began: string;
}

/** Of a process about which nothing can be found out. */
const UNKNOWN = "0".repeat(12);

let own: Owner | undefined;

/**
 * A name for something temporary, which nothing else has, and from which others on this machine can tell whether the
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
 * Whether the process that made something under this tag has certainly ended. Processes of another machine, or of
 * another container, are not known here: two of them may share a folder.
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

/** Only Linux tells enough: when the machine was started, and which numbers of processes are the same here and there. */
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
    // Z: nobody has asked yet what became of it.
    return began === undefined ? undefined : { began, hasEnded: "ZX".includes(state) };
  } catch {
    return undefined;
  }
}
