import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ApiError } from "./envelope.ts";
import { parse } from "./json.ts";

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

/** Refuses bodies that are too long before anything is made of them. */
export const limitBody: MiddlewareHandler = limit;

/** Reads JSON so that its integers are exact. */
export const exactJson: MiddlewareHandler = (c, next) => {
  c.req.json = async () => parse(await c.req.text()) as never;
  return next();
};

/**
 * A path without empty segments, also at its end: wrangler with a base URL that ends with `/` asks for
 * `/client/v4//accounts`, and others end paths with one.
 */
export function lenientPath(path: string): string {
  return path.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
}
