// Files that commands read from start to end, and standard input for "-".
import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { DamageError, PagemarkError } from "../errors/index.ts";
import { fileError } from "../sources/file/errors.ts";
import { STANDARD } from "./standard-output.ts";

/** Streams a file, or standard input. Errors are typed and name the file. */
export function openInput(path: string): ReadableStream<Uint8Array> {
  const input = path === STANDARD ? process.stdin : createReadStream(path);
  return streamOf(input, (error) => fileError(error, shown(path)));
}

/** Streams a database from standard input, unless that is a terminal. */
export function openStandardInput(): ReadableStream<Uint8Array> {
  if (!process.stdin.isTTY) return openInput(STANDARD);
  throw new PagemarkError(
    "USAGE",
    "- means standard input, which is a terminal here: give a file, or redirect the input",
  );
}

/** Decompresses a stream that begins as gzip does; others pass through. `path` names the stream in errors. */
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
  // Errors come out at the end of `unzip`.
  pipeline(whole, unzip, () => {});
  // An error before anybody reads must not end the process; the reader gets it later.
  unzip.on("error", () => {});
  return streamOf(unzip, (error) => {
    // Errors of the input itself pass through.
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) return error;
    const message = `${shown(path)}: the gzip data is damaged or ends too early; get a complete copy of the file`;
    return new DamageError("GZIP_DAMAGED", message, { name: path }, { cause: error });
  });
}

async function* startingWith(first: Uint8Array, rest: AsyncIterable<Uint8Array>) {
  if (first.length > 0) yield first;
  yield* rest;
}

/** What to call what a command reads. */
export function shown(path: string): string {
  return path === STANDARD ? "standard input" : path;
}

/** Makes a web stream. `Readable.toWeb` is no help: its streams throw into the void when they are canceled while data comes. */
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
