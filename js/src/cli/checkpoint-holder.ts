// Who holds a checkpoint between two commands: a process of its own, which listens to a socket by which the next command finds it. A
// holder that died leaves a socket that nobody listens to, and the database as it is.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, statSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { PagemarkError } from "../errors/index.ts";
import { checkpoint } from "../sources/file/checkpoint.ts";
import { realPath } from "../sources/file/handle.ts";
import type { CheckpointStatus } from "../sources/source.ts";

/** What a holder answers. */
export interface Answer {
  status?: Omit<CheckpointStatus, "since" | "until"> & { since: string; until: string };
  error?: { code: string; message: string };
}

/** A holder answers at once; one that does not is no holder. In milliseconds. */
const PATIENCE_MS = 5000;

/** Asks the holder of the checkpoint of a database; nothing when there is none. */
export function ask(path: string, command: "status" | "release"): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(socketOf(path));
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on("connect", () => socket.write(`${command}\n`));
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text.endsWith("\n") ? (JSON.parse(text) as Answer) : undefined));
  });
}

/** Starts a holder, which outlives this process. @throws PagemarkError what kept it from holding the checkpoint */
export async function startHolder(path: string, leaseMs: number): Promise<NonNullable<Answer["status"]>> {
  const [program = ""] = process.argv.slice(1);
  const child = spawn(process.execPath, [program, "checkpoint", "hold", path, "--lease", `${leaseMs}ms`], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
    windowsHide: true,
  });
  let text = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    text += chunk;
    if (text.endsWith("\n")) break;
  }
  child.unref();
  const { status, error } = (text.endsWith("\n") ? JSON.parse(text) : {}) as Answer;
  if (status) return status;
  throw new PagemarkError(error?.code ?? "INTERNAL", error?.message ?? "the holder of the checkpoint ended");
}

/** Holds a checkpoint until it is released or its lease ends; tells its first answer on standard output. */
export async function hold(path: string, leaseMs: number, signal: AbortSignal): Promise<void> {
  const place = socketOf(path);
  const held = await checkpoint(path, { leaseMs, signal });
  const stop = () => void held.release().catch(() => {});
  signal.addEventListener("abort", stop);
  const answer = (): string => `${JSON.stringify({ status: told(held.status()) })}\n`;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.setEncoding("utf8").once("data", async (command) => {
      // What is told is what was held.
      const text = answer();
      if (String(command).trim() === "release") await held.release().catch(() => {});
      socket.end(text);
    });
  });
  try {
    await listen(server, place, path);
    process.stdout.write(answer());
    await held.ended;
  } finally {
    await held[Symbol.asyncDispose]();
    server.close();
  }
}

async function listen(server: Server, place: string, path: string): Promise<void> {
  const attempt = () =>
    new Promise<void>((resolve, reject) => server.once("error", reject).listen(place, () => resolve()));
  try {
    await attempt();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    if (await ask(path, "status")) throw exists(path);
    // A holder that was killed has left it.
    unlinkSync(place);
    await attempt();
  }
}

export function exists(path: string): PagemarkError {
  const message = `${path}: there is a checkpoint of it already; release it first, or wait until its lease ends`;
  return new PagemarkError("CHECKPOINT_EXISTS", message, { name: path });
}

/** A status as JSON has it. */
export function told({ since, until, ...status }: CheckpointStatus): NonNullable<Answer["status"]> {
  return { ...status, since: since.toISOString(), until: until.toISOString() };
}

/** Where the holder of a database's checkpoint listens: in a folder that only this user may enter. */
function socketOf(path: string): string {
  const digest = createHash("sha256").update(realPath(path)).digest("hex").slice(0, 24);
  if (process.platform === "win32") return `\\\\.\\pipe\\pagemark-${digest}`;
  const { uid } = userInfo();
  const folder = join(tmpdir(), `pagemark-checkpoints-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder).uid !== uid) {
    const message = `${folder}: belongs to another user; set TMPDIR to a folder of your own`;
    throw new PagemarkError("SOURCE_DENIED", message, { name: folder });
  }
  chmodSync(folder, 0o700);
  return join(folder, digest);
}
