import { core, freeing, named } from "../../core/index.ts";
import { SourceError } from "../../errors/index.ts";
import { TemporaryFile } from "../../node/temporary-file.ts";
import type { Moment, PageSource, PinOptions } from "../source.ts";
import { FileMoment, type Pages } from "./moment.ts";

/** Enough for the header, in bytes. */
const START = 512;

/** A database that comes as a stream, which can be read once: it is kept in a temporary file. */
export function spooled(open: () => ReadableStream<Uint8Array>, name: string): PageSource {
  let isPinned = false;
  return {
    name,
    async pin(options = {}) {
      if (isPinned) throw new SourceError("SOURCE_RELEASED", `${name}: can be read only once`, { name });
      isPinned = true;
      return pinStream(open(), name, options);
    },
  };
}

async function pinStream(
  body: ReadableStream<Uint8Array>,
  name: string,
  { signal }: PinOptions,
): Promise<Moment> {
  const { copy, size } = await spool(body, signal);
  try {
    const pages = await pagesOf(copy, size, name);
    return new FileMoment(pages, { taken: "start", release: () => copy.close() });
  } catch (error) {
    await copy.close();
    throw named(error, name);
  }
}

/** Writes all of a stream to a temporary file, which is deleted when it is closed. */
export async function spool(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<{ copy: TemporaryFile; size: number }> {
  const copy = await TemporaryFile.create();
  try {
    let size = 0;
    const sink = new WritableStream<Uint8Array>({
      async write(chunk) {
        await copy.write(chunk, size);
        size += chunk.length;
      },
    });
    await body.pipeTo(sink, signal && { signal });
    return { copy, size };
  } catch (error) {
    await copy.close();
    throw error;
  }
}

async function pagesOf(copy: TemporaryFile, size: number, path: string): Promise<Pages> {
  const { DatabaseHeader } = await core();
  const start = new Uint8Array(START);
  const count = await copy.read(start, 0);
  return freeing(DatabaseHeader.parse(start.subarray(0, count)), (header) => {
    const { pageSize } = header;
    const mainPages = Math.floor(size / pageSize);
    return { path, pageSize, pageCount: header.pagesIn(size), main: copy, mainPages };
  });
}
