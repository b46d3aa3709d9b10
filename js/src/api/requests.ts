// The form of requests: their paths, how long they are, exact JSON, and the refusal of what is not right.
import type { z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { problemIn } from "../service/arguments.ts";
import { ApiError } from "./envelope.ts";

/**
 * What the body of a request may have, in bytes; files that are uploaded have bounds of their own. D1 takes statements
 * of 100,000 bytes; here a statement may be as long as that of one request. What is longer is imported.
 */
const MOST_BODY = 10 << 20;

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
  c.req.json = async <T>() => parse(await c.req.text()) as T;
  return next();
};

/**
 * A path without empty segments, also at its end: wrangler with a base URL that ends with `/` asks for
 * `/client/v4//accounts`, and others end paths with one.
 */
export function lenientPath(path: string): string {
  return path.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
}

/** V8 has it; TypeScript does not know it yet. */
const { parse: parseWithSource } = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
};

/** As `JSON.parse`; an integer that no number is exact for is a BigInt. */
function parse(text: string): unknown {
  return parseWithSource(text, (_, value, { source }) =>
    typeof value === "number" &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    /^-?\d+$/.test(source)
      ? BigInt(source)
      : value,
  );
}

/** The refusal of `value`, which has not the form that a request must have: what is wrong first, and where. */
export function invalid(error: z.ZodError, value: unknown): ApiError {
  const { message, path } = problemIn(error, value);
  const at = path.length > 0 ? ` (${path.join(".")})` : "";
  const pointer = path.map((each) => `/${String(each).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  return new ApiError(400, 7400, `Invalid request: ${message}${at}`, pointer);
}
