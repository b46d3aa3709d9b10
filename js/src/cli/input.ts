// What commands read from start to end: files, and standard input for "-".
import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { DamageError, PagemarkError } from "../errors/index.ts";
import { fileError } from "../sources/file-errors.ts";
import { STANDARD } from "./standard-output.ts";

/** The bytes of a file, or of standard input. Errors are typed, and name it. */
export function openInput(path: string): ReadableStream<Uint8Array> {
  const input = path === STANDARD ? process.stdin : createReadStream(path);
  return streamOf(input, (error) => fileError(error, shown(path)));
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
  const chunks = stream[Symbol.asyncIterator]();
  let first = new Uint8Array();
  // A pipe may give one byte at a time.
  while (first.length < 2) {
    const { done, value } = await chunks.next();
    if (done) break;
    first = Buffer.concat([first, value]);
  }
  const whole = Readable.from(startingWith(first, chunks), { objectMode: false });
  if (first[0] !== 0x1f || first[1] !== 0x8b) return streamOf(whole, (error) => error);
  const { createGunzip } = await import("node:zlib");
  const unzip = createGunzip();
  // What goes wrong is found at its end.
  pipeline(whole, unzip, () => {});
  // Also when nobody reads yet; whoever does hears of it.
  unzip.on("error", () => {});
  return streamOf(unzip, (error) => {
    // Errors of the input itself pass through.
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) return error;
    const message = `${shown(path)}: is gzip that is damaged or ends too early; get a whole copy of it`;
    return new DamageError("GZIP_DAMAGED", message, { name: path }, { cause: error });
  });
}

async function* startingWith(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  if (first.length > 0) yield first;
  yield* rest;
}

function shown(path: string): string {
  return path === STANDARD ? "standard input" : path;
}

/** Not `Readable.toWeb`, whose streams throw beside everything when they are canceled while more comes. */
function streamOf(input: Readable, map: (error: unknown) => unknown): ReadableStream<Uint8Array> {
  const chunks = input[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          throw map(error);
        }
      },
      cancel: () => void input.destroy(),
    },
    { highWaterMark: 0 },
  );
}
