import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ApiError } from "./envelope.ts";

/**
 * What the body of a request may have, in bytes; files that are uploaded have bounds of their own. D1 takes statements
 * of 100,000 bytes; here a statement may be as long as that of one request. What is longer is imported.
 */
export const MOST_BODY = 10 << 20;

const limit = bodyLimit({
  maxSize: MOST_BODY,
  onError: () => {
    throw new ApiError(
      413,
      7400,
      `a request has at most ${MOST_BODY >> 20} MiB; send several, or import a file`,
    );
  },
});

/** Refuses bodies that are too long before anything is made of them; what is PUT is a file, and streamed. */
export const limitBody: MiddlewareHandler = (c, next) => (c.req.method === "PUT" ? next() : limit(c, next));

/** A path without empty segments: wrangler with a base URL that ends with `/` asks for `/client/v4//accounts`. */
export function lenientPath(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}
