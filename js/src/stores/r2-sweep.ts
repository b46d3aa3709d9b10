import type { Calls } from "./r2-calls.ts";
import { TEMPORARY, UPLOAD } from "./r2-multipart.ts";

/** In milliseconds. */
const DAY = 24 * 60 * 60 * 1000;

/** Removes what dead processes left: temporary objects, and the uploads they stand for, that began more than a day ago. */
export async function sweep(calls: Calls): Promise<void> {
  const options = { prefix: TEMPORARY, include: ["customMetadata" as const] };
  const { objects } = await calls.run({ doing: "list", key: TEMPORARY }, (bucket) => bucket.list(options));
  for (const { key, uploaded, customMetadata } of objects) {
    if (uploaded.getTime() > Date.now() - DAY) continue;
    const upload = customMetadata?.[UPLOAD];
    const call = { doing: "delete", key } as const;
    // Ends it, should its process live after all: that put fails then, and leaves nothing.
    if (upload) {
      await calls.run(call, (bucket) => bucket.resumeMultipartUpload(key, upload).abort()).catch(() => {});
    }
    await calls.run(call, (bucket) => bucket.delete(key));
  }
}
