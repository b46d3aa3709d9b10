import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PagemarkError } from "../errors/index.ts";
import { systemCode } from "../node/errno.ts";
import { writeFully } from "../node/fully.ts";
import { fileError } from "../sources/file/errors.ts";

/** The path that means standard output, or standard input. */
export const STANDARD = "-";

const FD = 1;
/** Between two attempts to write to a full pipe that does not block, in milliseconds. */
const PAUSE_MS = 5;

let writing = false;

/** Whether a write waits for the reader of a pipe, which may never read. */
export function isWriting(): boolean {
  return writing;
}

/** Refuses to write what people cannot read to a terminal. */
export function refuseTerminal(what: string): void {
  if (!process.stdout.isTTY) return;
  throw new PagemarkError(
    "USAGE",
    `${what} cannot be shown on a terminal: give -o a file, or redirect the output`,
  );
}

/** Writes all of `body`; each chunk is written before the next is asked for. Returns how many bytes there were. */
export async function writeToStandardOutput(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number> {
  let written = 0;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  for await (const chunk of body) {
    signal.throwIfAborted();
    await Promise.race([writeChunk(chunk), aborted]);
    written += chunk.length;
  }
  return written;
}

async function writeChunk(chunk: Uint8Array): Promise<void> {
  writing = true;
  try {
    // Not `process.stdout`: it blocks until a pipe is read, and takes what a full disk took half of for written.
    await writeWhole(chunk);
  } catch (error) {
    outputFailed(error);
  } finally {
    writing = false;
  }
}

async function writeWhole(chunk: Uint8Array): Promise<void> {
  for (let rest = chunk; ; ) {
    const [error, done] = await writeFully(FD, rest).then(
      () => [undefined, rest.length] as const,
      (error) => [error, error.written as number] as const,
    );
    if (error === undefined) return;
    if (systemCode(error) !== "EAGAIN") throw error;
    rest = rest.subarray(done);
    await sleep(PAUSE_MS);
  }
}

/** Writes all of `text`, or fails; `process.stdout` would not notice that the disk is full. */
export function writeText(text: string): void {
  // On Windows it knows the terminal's encoding.
  if (process.stdout.isTTY) {
    process.stdout.write(text);
    return;
  }
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSome(bytes, at);
  } catch (error) {
    outputFailed(error);
  }
}

function writeSome(bytes: Uint8Array, at: number): number {
  try {
    return writeSync(FD, bytes, at);
  } catch (error) {
    if (systemCode(error) !== "EAGAIN") throw error;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    return 0;
  }
}

/** Ends the process when the reader has left (`| head`): it has what it wants. */
export function outputFailed(error: unknown): never {
  if (systemCode(error) === "EPIPE") process.exit(0);
  throw fileError(error, "standard output", "write");
}
