// What commands read from start to end: files, and standard input for "-".
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { DamageError, PagemarkError } from "../errors/index.ts";
import { fileError } from "../sources/file-errors.ts";
import { STANDARD } from "./standard-output.ts";

/** The bytes of a file, or of standard input. Errors are typed, and name it. */
export function openInput(path: string): ReadableStream<Uint8Array> {
  const input = path === STANDARD ? process.stdin : createReadStream(path);
  const stream = Readable.toWeb(input) as ReadableStream<Uint8Array>;
  return mapErrors(stream, (error) => fileError(error, shown(path)));
}

/** A database in standard input; a person at a terminal has none to type. */
export function openStandardInput(): ReadableStream<Uint8Array> {
  if (!process.stdin.isTTY) return openInput(STANDARD);
  throw new PagemarkError(
    "USAGE",
    "- is standard input, and that is a terminal: give a file, or redirect the input",
  );
}

/** The stream, decompressed if it begins as gzip does. `path` names it in errors. */
export async function plain(
  stream: ReadableStream<Uint8Array>,
  path: string,
): Promise<ReadableStream<Uint8Array>> {
  const reader = stream.getReader();
  let first = new Uint8Array();
  // A pipe may give one byte at a time.
  while (first.length < 2) {
    const { done, value } = await reader.read();
    if (done) break;
    first = Buffer.concat([first, value]);
  }
  const whole = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (first.length > 0) controller.enqueue(first);
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  if (first[0] !== 0x1f || first[1] !== 0x8b) return whole;
  const gunzip = new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>;
  return mapErrors(whole.pipeThrough(gunzip), (error) => {
    // Errors of the input itself pass through.
    if (error instanceof PagemarkError || !(error instanceof Error)) return error;
    const message = `${shown(path)}: is gzip that is damaged or ends too early; get a whole copy of it`;
    return new DamageError("GZIP_DAMAGED", message, { name: path }, { cause: error });
  });
}

function shown(path: string): string {
  return path === STANDARD ? "standard input" : path;
}

function mapErrors(
  stream: ReadableStream<Uint8Array>,
  map: (error: unknown) => unknown,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw map(error);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
