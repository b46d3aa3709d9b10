import type { R2Found } from "./r2-bucket.ts";
import type { Calls } from "./r2-calls.ts";
import { TEMPORARY, UPLOAD } from "./r2-multipart.ts";

/** In milliseconds. */
const DAY = 24 * 60 * 60 * 1000;

/** Removes what dead processes left: temporary objects, and the uploads they stand for, that began more than a day ago. */
export async function sweep(calls: Calls): Promise<void> {
  const call = { doing: "list", key: TEMPORARY } as const;
  let cursor: string | undefined;
  do {
    const options = {
      prefix: TEMPORARY,
      include: ["customMetadata" as const],
      ...(cursor !== undefined && { cursor }),
    };
    const page = await calls.run(call, (bucket) => bucket.list(options));
    for (const each of page.objects) await sweepOne(calls, each);
    // R2 gives fewer objects in a page where metadata is included.
    cursor = page.truncated && page.cursor !== cursor ? page.cursor : undefined;
  } while (cursor !== undefined);
}

async function sweepOne(calls: Calls, { key, uploaded, customMetadata }: R2Found): Promise<void> {
  if (uploaded.getTime() > Date.now() - DAY) return;
  const upload = customMetadata?.[UPLOAD];
  const call = { doing: "delete", key } as const;
  // Ends it, should its process live after all: that put fails then, and leaves nothing.
  if (upload) {
    await calls.run(call, (bucket) => bucket.resumeMultipartUpload(key, upload).abort()).catch(() => {});
  }
  await calls.run(call, (bucket) => bucket.delete(key));
}
